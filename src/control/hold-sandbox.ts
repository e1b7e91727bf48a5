import type { QuotaUse } from '../contracts/admission.ts';
import type { Clock } from '../contracts/clock.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { Log } from '../contracts/log.ts';
import type { Quotas } from '../contracts/tenant.ts';
import type { SandboxHolds, SandboxUse } from '../state/sandbox-holds.ts';
import type { Tenants } from '../state/tenants.ts';

export interface HoldSandboxContext {
  readonly clock: Clock;
  readonly log: Log;
  readonly holds: SandboxHolds;
  readonly tenants: Pick<Tenants, 'existing'>;
}

/** What one sandbox may take; what it is not limited in counts as all that the tenant has. */
export interface SandboxWish {
  readonly tenant: TenantId;
  readonly run: string;
  readonly cpu?: number;
  readonly memoryMb?: number;
}

/** A place among the tenant's sandboxes, kept until it is disposed of or its process dies. */
export interface SandboxHold extends Disposable {
  readonly outcome: 'held';
}

const leaseMs = 60_000;
const renewMs = 20_000;

/**
 * Takes a place for one sandbox within the tenant's quotas; otherwise the quota that it would exceed, with its limit and
 * its use.
 * @throws as `Tenants.existing`.
 */
export function holdSandbox(
  ctx: HoldSandboxContext,
  wish: SandboxWish,
): SandboxHold | { readonly outcome: 'refused'; readonly quota: QuotaUse } {
  const { clock, holds } = ctx;
  const limits = ctx.tenants.existing(wish.tenant).config.quotas ?? {};
  const size = { cpu: wish.cpu ?? limits.sandboxCpu ?? 0, memoryMb: wish.memoryMb ?? limits.sandboxMemoryMb ?? 0 };
  const nowMs = clock.now();
  let exceeded: QuotaUse | undefined;
  const wanted = { tenant: wish.tenant, run: wish.run, ...size, untilMs: nowMs + leaseMs };
  const hold = holds.take(wanted, nowMs, (others) => (exceeded = exceededBy(limits, others, size)) === undefined);
  if (hold === undefined) return { outcome: 'refused', quota: exceeded as QuotaUse };
  const renewal = setInterval(() => renew(ctx, () => holds.extend(hold, clock.now() + leaseMs)), renewMs).unref();
  return {
    outcome: 'held',
    [Symbol.dispose]: () => {
      clearInterval(renewal);
      renew(ctx, () => holds.release(hold.id));
    },
  };
}

/** The first of the three that one more of this size would exceed. */
export function exceededBy(limits: Quotas, others: SandboxUse, size: Pick<SandboxUse, 'cpu' | 'memoryMb'>): QuotaUse | undefined {
  const { sandboxes, sandboxCpu, sandboxMemoryMb } = limits;
  if (sandboxes !== undefined && others.sandboxes + 1 > sandboxes) return { name: 'sandboxes', limit: sandboxes, used: others.sandboxes };
  if (sandboxCpu !== undefined && others.cpu + size.cpu > sandboxCpu) return { name: 'sandboxCpu', limit: sandboxCpu, used: others.cpu };
  if (sandboxMemoryMb !== undefined && others.memoryMb + size.memoryMb > sandboxMemoryMb)
    return { name: 'sandboxMemoryMb', limit: sandboxMemoryMb, used: others.memoryMb };
  return undefined;
}

/** A full disk must not end a run whose sandbox is there: the hold runs out, and the next renewal makes it again. */
function renew({ log }: HoldSandboxContext, work: () => void): void {
  try {
    work();
  } catch (error) {
    log.warn('the hold of a sandbox could not be written', { reason: String(error) });
  }
}
