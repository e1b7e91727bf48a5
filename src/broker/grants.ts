import { randomBytes } from 'node:crypto';
import type { Clock } from '../contracts/clock.ts';
import { rulesOf, type BrokerPolicy, type BrokerRule } from '../contracts/broker-config.ts';
import type { TenantId } from '../contracts/ids.ts';
import { hashJson, type Sha256 } from '../contracts/json.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import { signClaims, verifyClaims, type Claims } from './grants/claims.ts';

/** Who asks, for which tool, and within which run and lease. */
export interface GrantRequest {
  readonly tool: string;
  readonly tenant: TenantId;
  readonly run: string;
  readonly session: string;
  readonly agent: string;
  readonly executor: string;
  readonly lease: string;
  /** The one host that it is for, `host:port`, and the one secret: the rule must name both. Absent: what the rule names. */
  readonly host?: string;
  readonly secret?: string;
}

/** One call that a token is to be used for. */
export interface GrantUse extends GrantRequest {
  /** `host:port` */
  readonly host: string;
}

/** Of the tokens of a tenant, those of a run, an agent, a tool and so on. */
export type GrantMatch = { readonly tenant: TenantId } & Partial<Omit<GrantRequest, 'host' | 'secret'>>;

export type DenialCode =
  | 'broker.tool-not-allowed'
  | 'broker.lease-lost'
  | 'broker.bad-token'
  | 'broker.expired'
  | 'broker.other-binding'
  | 'broker.policy-changed'
  | 'broker.revoked'
  | 'broker.replayed'
  | 'broker.too-many';

export interface Denial {
  readonly ok: false;
  /** What a door over HTTP answers. */
  readonly status: 403;
  readonly code: DenialCode;
  readonly reason: string;
}

export interface IssuedGrant {
  readonly ok: true;
  readonly token: string;
  readonly grantId: string;
  readonly expiresMs: number;
  readonly hosts: readonly string[];
  readonly risk?: string;
}

export interface AllowedUse {
  readonly ok: true;
  readonly grantId: string;
  /** The one secret that the call may carry. */
  readonly secret: string | undefined;
}

export interface GrantsContext {
  readonly clock: Clock;
  readonly ledger: (tenant: TenantId) => Promise<LedgerWriter>;
  /** The tenant's policy as it is now: read anew for each request and each use. */
  readonly policy: (request: GrantRequest) => Promise<BrokerPolicy>;
  /** Whether the executor still holds the lease of the run. */
  readonly isLeaseHeld: (request: GrantRequest) => Promise<boolean>;
  /** Default: a new one. Tokens of another process, or of an earlier start, are worth nothing. */
  readonly signingKey?: Uint8Array;
}

/**
 * Short-lived credentials for one call of one tool.
 *
 * Contract:
 * - a token is worth one use, within five minutes at most, for the run, lease, executor, tenant and tool it was given to;
 * - a changed policy, a lost lease and a revocation end it at once;
 * - request, grant, denial, use and revocation stand in the ledger before they are answered; what cannot be recorded is
 *   not given.
 */
export interface Grants {
  request(request: GrantRequest): Promise<IssuedGrant | Denial>;
  use(token: string, use: GrantUse): Promise<AllowedUse | Denial>;
  /** Ends all unused tokens that match; how many. */
  revoke(match: GrantMatch, reason: string): Promise<number>;
}

const maxLifeMs = 5 * 60_000;
const maxOpenPerTenant = 10_000;

interface OpenGrant {
  readonly claims: Claims;
  state: 'open' | 'used' | 'revoked';
}

export function openGrants(context: GrantsContext): Grants {
  const key = context.signingKey ?? randomBytes(32);
  const open = new Map<string, OpenGrant>();
  return {
    request: async (request) => await issue({ context, key, open }, request),
    use: async (token, use) => await useToken({ context, key, open }, token, use),
    revoke: async (match, reason) => await revoke({ context, key, open }, match, reason),
  };
}

interface GrantsWorld {
  readonly context: GrantsContext;
  readonly key: Uint8Array;
  /** Every grant until it expires, used or not: what is not here was never given. */
  readonly open: Map<string, OpenGrant>;
}

async function issue(world: GrantsWorld, request: GrantRequest): Promise<IssuedGrant | Denial> {
  const { context, open } = world;
  const ledger = await context.ledger(request.tenant);
  await ledger.append({ type: 'broker.request', ...frame(context, request), lease: request.lease });
  forgetExpired(world);
  const policy = await context.policy(request);
  const taken = takenBack(policy, request);
  if (taken !== undefined) return await deny(world, request, taken);
  const rule = ruleFor(policy, request);
  if (rule === undefined)
    return await deny(world, request, {
      code: 'broker.tool-not-allowed',
      reason: `No rule of tenant ${request.tenant} allows the tool ${request.tool}${wantedOf(request)}.`,
    });
  if (!(await context.isLeaseHeld(request))) return await deny(world, request, leaseLost(request));
  if ([...open.values()].filter((grant) => grant.claims.tenant === request.tenant).length >= maxOpenPerTenant)
    return await deny(world, request, { code: 'broker.too-many', reason: 'Too many tokens of this tenant are unused.' });
  const held = claimsOf(context, request, { policy: hashJson(policy), rule });
  const { id, expiresMs } = held;
  const risk = rule.risk === undefined ? {} : { risk: rule.risk };
  const expires = new Date(expiresMs).toISOString();
  await ledger.append({
    type: 'broker.grant',
    ...frame(context, request),
    grant: id,
    hosts: held.hosts,
    expires,
    policy: held.policy,
    ...risk,
  });
  open.set(id, { claims: held, state: 'open' });
  return { ok: true, token: signClaims(world.key, held), grantId: id, expiresMs, hosts: held.hosts, ...risk };
}

function claimsOf(
  { clock }: GrantsContext,
  request: GrantRequest,
  { policy, rule }: { readonly policy: Sha256; readonly rule: BrokerRule },
): Claims {
  const { tool, tenant, run, session, agent, executor, lease } = request;
  const expiresMs = clock.now() + Math.min(maxLifeMs, (rule.seconds ?? 60) * 1000);
  const hosts = request.host === undefined ? [...rule.hosts] : [request.host];
  const bound = { tool, tenant, run, session, agent, executor, lease, hosts, policy };
  return { id: randomBytes(16).toString('hex'), ...bound, ...(rule.secret === undefined ? {} : { secret: rule.secret }), expiresMs };
}

async function useToken(world: GrantsWorld, token: string, use: GrantUse): Promise<AllowedUse | Denial> {
  const { context, open } = world;
  const held = verifyClaims(world.key, token);
  if (held === undefined)
    return await deny(world, use, { code: 'broker.bad-token', reason: 'The token was not made here, or was changed.' });
  const policy = await context.policy(use);
  const refusal = await refusalOf(world, { held, use, policy });
  if (refusal !== undefined) return await deny(world, use, { ...refusal, grant: held.id });
  const grant = open.get(held.id);
  // No await between the look and the mark: of two uses at once, one is a replay.
  if (grant?.state !== 'open')
    return await deny(world, use, {
      code: grant?.state === 'revoked' ? 'broker.revoked' : 'broker.replayed',
      reason: grant?.state === 'revoked' ? 'The token was taken back.' : 'The token was used before.',
      grant: held.id,
    });
  grant.state = 'used';
  const ledger = await context.ledger(use.tenant);
  await ledger.append({ type: 'broker.use', ...frame(context, use), grant: held.id, host: use.host });
  return { ok: true, grantId: held.id, secret: held.secret };
}

/** The first rule of the tool that has what is asked for. */
function ruleFor(policy: BrokerPolicy, { tool, host, secret }: GrantRequest): BrokerRule | undefined {
  return rulesOf(policy, tool).find(
    (rule) => (host === undefined || rule.hosts.includes(host)) && (secret === undefined || rule.secret === secret),
  );
}

function wantedOf({ host, secret }: GrantRequest): string {
  return `${secret === undefined ? '' : ` the secret ${secret}`}${host === undefined ? '' : ` for ${host}`}`;
}

/** What a human took back: nothing that matches gets a credential, whatever the rules say. */
function takenBack({ revoked = [] }: BrokerPolicy, request: GrantRequest): Refusal | undefined {
  const match = revoked.find(
    ({ run, agent, tool }) =>
      (run ?? request.run) === request.run && (agent ?? request.agent) === request.agent && (tool ?? request.tool) === request.tool,
  );
  return match === undefined ? undefined : { code: 'broker.revoked', reason: `A human took it back: ${match.reason}.` };
}

type Refusal = Pick<Denial, 'code' | 'reason'>;

interface UseFacts {
  readonly held: Claims;
  readonly use: GrantUse;
  readonly policy: BrokerPolicy;
}

async function refusalOf({ context }: GrantsWorld, { held, use, policy }: UseFacts): Promise<Refusal | undefined> {
  if (held.expiresMs <= context.clock.now()) return { code: 'broker.expired', reason: 'The token has expired.' };
  for (const field of ['tool', 'tenant', 'run', 'session', 'agent', 'executor', 'lease'] as const) {
    if (held[field] !== use[field]) return { code: 'broker.other-binding', reason: `The token was given for another ${field}.` };
  }
  const taken = takenBack(policy, use);
  if (taken !== undefined) return taken;
  const policyHash: Sha256 = hashJson(policy);
  if (policyHash !== held.policy) return { code: 'broker.policy-changed', reason: 'The policy has changed since the token was given.' };
  if (!held.hosts.includes(use.host)) return { code: 'broker.other-binding', reason: `The token is not for the host ${use.host}.` };
  return (await context.isLeaseHeld(use)) ? undefined : leaseLost(use);
}

async function revoke(world: GrantsWorld, match: GrantMatch, reason: string): Promise<number> {
  const wanted = Object.entries(match) as [keyof GrantMatch, string][];
  const grants = [...world.open.values()].filter(
    (grant) => grant.state === 'open' && wanted.every(([field, value]) => grant.claims[field] === value),
  );
  for (const grant of grants) grant.state = 'revoked';
  const ledger = await world.context.ledger(match.tenant);
  await ledger.append({
    type: 'broker.revoke',
    at: new Date(world.context.clock.now()).toISOString(),
    tenant: match.tenant,
    grants: grants.map((grant) => grant.claims.id),
    reason,
  });
  return grants.length;
}

async function deny(
  { context }: GrantsWorld,
  request: GrantRequest,
  { code, reason, grant }: Refusal & { readonly grant?: string },
): Promise<Denial> {
  const ledger = await context.ledger(request.tenant);
  await ledger.append({ type: 'broker.denial', ...frame(context, request), ...(grant === undefined ? {} : { grant }), code });
  return { ok: false, status: 403, code, reason };
}

function leaseLost(request: GrantRequest): Refusal {
  return { code: 'broker.lease-lost', reason: `The executor ${request.executor} does not hold the run any more.` };
}

function frame({ clock }: GrantsContext, { run, session, agent, tenant, executor, tool }: GrantRequest) {
  return { at: new Date(clock.now()).toISOString(), run, session, agent, tenant, executor, tool };
}

function forgetExpired({ context, open }: GrantsWorld): void {
  const now = context.clock.now();
  for (const [id, grant] of open) if (grant.claims.expiresMs <= now) open.delete(id);
}
