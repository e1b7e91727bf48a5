import type { QuotaUse } from '../contracts/admission.ts';
import { counted } from '../contracts/counted.ts';
import type { Clock } from '../contracts/clock.ts';
import type { TenantId } from '../contracts/ids.ts';
import { defaultSchedules, defaultUsdPerDay, type QuotaName } from '../contracts/tenant.ts';
import type { Queue, QueueCounts, TenantShare } from '../state/queue.ts';
import type { Tenant, Tenants } from '../state/tenants.ts';
import type { Usage } from '../state/usage.ts';

export interface QuotaContext {
  readonly clock: Clock;
  readonly queue: Pick<Queue, 'counts'>;
  readonly usage: Pick<Usage, 'costMicroUsd' | 'storage'>;
}

const mib = 1024 ** 2;

/**
 * The first quota that one more run would exceed; undefined when it fits. Uses are derived from the queue, the runs and
 * the disk, so that no counter can leak: what a dead process held is given back by its lease.
 *
 * @param run `spent`: the tenant's money as `usdUse` gives it; `isLater`: it is scheduled, so it takes no place among the runs of now.
 */
export async function exceededQuota(
  ctx: QuotaContext,
  tenant: Tenant,
  { spent, isLater }: { readonly spent: QuotaUse; readonly isLater: boolean },
): Promise<QuotaUse | undefined> {
  const { quotas: limits = {}, overQuota = 'reject' } = tenant.config;
  if (spent.used >= spent.limit) return spent;
  if (limits.storageMb !== undefined) {
    const used = Math.ceil((await ctx.usage.storage(tenant.id)).bytes / mib);
    if (used >= limits.storageMb) return { name: 'storageMb', limit: limits.storageMb, used };
  }
  if (!hasCountQuota(tenant)) return undefined;
  const { ready, leased, scheduled } = sumOf(await ctx.queue.counts({ tenant: tenant.id }));
  const most = overQuota === 'reject' && !isLater ? limits.concurrentRuns : undefined;
  if (most !== undefined && ready + leased >= most) return { name: 'concurrentRuns', limit: most, used: ready + leased };
  const waiting = ready + scheduled;
  if (limits.queuedTasks !== undefined && waiting >= limits.queuedTasks)
    return { name: 'queuedTasks', limit: limits.queuedTasks, used: waiting };
  return undefined;
}

/** Whether admissions of the tenant must be counted one after the other. */
export function hasCountQuota({ config: { quotas: limits } }: Tenant): boolean {
  return limits?.concurrentRuns !== undefined || limits?.queuedTasks !== undefined;
}

/** Spent and allowed in this UTC day. */
export function usdUse(ctx: Pick<QuotaContext, 'clock' | 'usage'>, { id, config }: Tenant): QuotaUse {
  const used = ctx.usage.costMicroUsd(id, ctx.clock.now()) / 1e6;
  return { name: 'usdPerDay', limit: config.quotas?.usdPerDay ?? defaultUsdPerDay, used };
}

/** How many jobs of the scheduler a tenant may have. @throws InvalidFileError when its file is wrong. */
export function maxSchedulesOf(tenants: Pick<Tenants, 'get'>): (tenant: TenantId) => number {
  return (tenant) => tenants.get(tenant)?.config.quotas?.schedules ?? defaultSchedules;
}

export interface TaskCounts {
  readonly ready: number;
  readonly scheduled: number;
  readonly leased: number;
  readonly dead: number;
}

/** Over all agent types. */
export function sumOf(counts: readonly QueueCounts[]): TaskCounts {
  const sum = (name: keyof TaskCounts): number => counts.reduce((total, one) => total + one[name], 0);
  return { ready: sum('ready'), scheduled: sum('scheduled'), leased: sum('leased'), dead: sum('dead') };
}

/** What a quota is called in a sentence, and what frees it. */
const words: Readonly<Record<QuotaName, readonly [one: string, many: string, remedy: string]>> = {
  concurrentRuns: ['run at the same time', 'runs at the same time', 'Wait until one has ended'],
  queuedTasks: ['waiting task', 'waiting tasks', 'Wait until some have started'],
  sandboxes: ['sandbox at the same time', 'sandboxes at the same time', 'Wait until one has stopped'],
  sandboxCpu: ['core for sandboxes', 'cores for sandboxes', 'Wait until a sandbox has stopped'],
  sandboxMemoryMb: ['MiB of memory for sandboxes', 'MiB of memory for sandboxes', 'Wait until a sandbox has stopped'],
  storageMb: ['MiB on the disk', 'MiB on the disk', 'Prune old runs'],
  requestsPerMinute: ['request a minute', 'requests a minute', 'Wait a minute'],
  schedules: ['job of the scheduler', 'jobs of the scheduler', 'Remove one'],
  usdPerDay: ['US dollar a day', 'US dollars a day', 'Wait until the next day (UTC)'],
};

/** Names the quota, its limit and its use. */
export function overQuotaSentence(tenant: TenantId, { name, limit, used }: QuotaUse): string {
  const [one, many, remedy] = words[name];
  return `Tenant ${tenant} may have ${counted(limit, one, many)} and has ${Number(used.toFixed(6))}, so nothing more is started (quota ${name}). ${remedy}, or have the quota raised.`;
}

/**
 * How each tenant shares the workers: by its weight, and never more runs at once than its quota. A suspended tenant, and
 * one whose file is wrong, gets none; its tasks are kept.
 */
export function sharesOf(tenants: Tenants): readonly { readonly tenant: TenantId; readonly share: TenantShare }[] {
  return tenants.list().map((tenant) => ({ tenant, share: shareOf(tenants, tenant) }));
}

function shareOf(tenants: Tenants, id: TenantId): TenantShare {
  try {
    const { config, isActive } = tenants.existing(id);
    const weight = config.weight ?? 1;
    if (!isActive) return { weight, maxLeased: 0 };
    const most = config.quotas?.concurrentRuns;
    return most === undefined ? { weight } : { weight, maxLeased: most };
  } catch {
    // silent-ok: whoever shows tenants tells what is wrong with the file; here it starts nothing.
    return { maxLeased: 0 };
  }
}
