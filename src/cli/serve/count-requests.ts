import type { Clock } from '../../contracts/clock.ts';
import type { TenantId } from '../../contracts/ids.ts';
import type { Principal } from '../../contracts/principal.ts';
import type { Usage } from '../../state/usage.ts';

export interface CountRequestsContext {
  readonly clock: Clock;
  readonly usage: Pick<Usage, 'addRequests'>;
}

type Authenticate = (secret: string, nowMs: number) => Principal | undefined;

const flushMs = 2000;

/** Counts each request that a token let in, for `tenants show`; what was counted in the last two seconds may be lost. */
export function countRequests({ clock, usage }: CountRequestsContext, authenticate: Authenticate): Authenticate {
  const counts = new Map<TenantId, number>();
  const flush = (): void => {
    try {
      for (const [tenant, count] of counts) usage.addRequests(tenant, count, clock.now());
    } catch {
      // silent-ok: a number for people; the disk may be full, or the server has closed its database.
    }
    counts.clear();
  };
  return (secret, nowMs) => {
    const principal = authenticate(secret, nowMs);
    if (principal === undefined) return undefined;
    if (counts.size === 0) setTimeout(flush, flushMs).unref();
    counts.set(principal.tenant, (counts.get(principal.tenant) ?? 0) + 1);
    return principal;
  };
}
