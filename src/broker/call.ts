import type { Clock } from '../contracts/clock.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import { openEdge, type EdgeOptions } from './edge.ts';
import { fetchThroughEdge, urlPlace, type Fetched, type FetchOptions, type FetchRequest } from './fetch.ts';
import type { Denial, GrantRequest, Grants } from './grants.ts';
import { hostPortText } from './host-name.ts';
import type { Secrets } from './secrets.ts';

export interface CallContext {
  readonly grants: Grants;
  readonly secrets: Secrets;
  readonly ledger: (tenant: TenantId) => Promise<LedgerWriter>;
  readonly clock: Clock;
  /** How the edge of the call differs from the usual one: tests, a private authority. */
  readonly edge?: Pick<EdgeOptions, 'lookup' | 'allowLoopback' | 'upstreamCa' | 'limits'>;
}

export interface GrantedCall {
  readonly token: string;
  /** Who calls: must be whom the token was given to. */
  readonly caller: GrantRequest;
  /** The credential is written `{{secret:NAME}}`; the caller never has it. */
  readonly request: FetchRequest;
}

/**
 * Makes the one call that a token stands for: the caller brings a token and a request with the secret's name, the
 * broker puts the secret in.
 *
 * Contract: the token is spent before anything leaves, also when the call fails; nothing but its host is reached, with
 * its one secret.
 * @throws EgressError when the call itself fails.
 */
export async function callWithGrant(
  context: CallContext,
  call: GrantedCall,
  options: FetchOptions,
): Promise<(Fetched & { readonly ok: true }) | Denial> {
  const { token, caller, request } = call;
  const at = urlPlace(request.url);
  const allowed = await context.grants.use(token, { ...caller, host: hostPortText(at) });
  if (!allowed.ok) return allowed;
  const secret = allowed.secret === undefined ? undefined : await context.secrets.get(caller.tenant, allowed.secret);
  const edge = openEdge({
    run: { run: caller.run, session: caller.session, agent: caller.agent },
    ledger: await context.ledger(caller.tenant),
    clock: context.clock,
    grants: [at],
    secrets: secret === undefined ? [] : [secret],
    ...context.edge,
  });
  return { ok: true, ...(await fetchThroughEdge(edge, request, options)) };
}
