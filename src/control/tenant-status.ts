import type { QuotaUse } from '../contracts/admission.ts';
import { reasonOf } from '../contracts/errors.ts';
import type { TenantId } from '../contracts/ids.ts';
import { defaultSchedules, defaultUsdPerDay, type QuotaName, type Quotas, type TenantConfig } from '../contracts/tenant.ts';
import type { SandboxHolds } from '../state/sandbox-holds.ts';
import type { Schedules } from '../state/schedules.ts';
import type { Tenants } from '../state/tenants.ts';
import type { Usage } from '../state/usage.ts';
import { overQuotaSentence, sumOf, type QuotaContext, type TaskCounts } from './quota.ts';

export interface StatusContext extends Pick<QuotaContext, 'clock' | 'queue'> {
  readonly tenants: Pick<Tenants, 'existing'>;
  readonly usage: Pick<Usage, 'costMicroUsd' | 'measureStorage' | 'requests'>;
  readonly holds: Pick<SandboxHolds, 'use'>;
  readonly schedules: Pick<Schedules, 'count'>;
  /** Compiles the policy of platform and tenant. @throws ClawholdError when nothing could start under it. */
  readonly checkPolicy: (tenant: TenantId) => Promise<void>;
}

/** What keeps a tenant from working, by a stable name. */
export interface TenantCondition {
  readonly type: 'Suspended' | 'ConfigInvalid' | 'PolicyInvalid' | 'OverQuota' | 'DeadTasks';
  /** One sentence. */
  readonly message: string;
  readonly quota?: QuotaName;
}

/** A quota with its use; without a limit it is not bounded. */
export interface ShownUse {
  readonly name: QuotaName;
  readonly used: number;
  readonly limit?: number;
}

export interface TenantStatus {
  readonly tenant: TenantId;
  readonly state: 'active' | 'suspended' | 'invalid';
  readonly title: string;
  readonly config?: TenantConfig;
  readonly uses: readonly ShownUse[];
  readonly tasks: TaskCounts;
  readonly requestsToday: number;
  readonly conditions: readonly TenantCondition[];
}

/** How a tenant stands: what it uses of its quotas, and everything that is wrong. */
export async function tenantStatus(ctx: StatusContext, tenant: TenantId): Promise<TenantStatus> {
  const nowMs = ctx.clock.now();
  const conditions: TenantCondition[] = [];
  const found = readTenant(ctx, tenant, conditions);
  const tasks = sumOf(await ctx.queue.counts({ tenant }));
  const uses = await usesOf(ctx, { tenant, tasks, limits: found?.config.quotas ?? {}, nowMs });
  if (found?.isActive === false) conditions.push({ type: 'Suspended', message: `Tenant ${tenant} is suspended and starts nothing.` });
  await ctx.checkPolicy(tenant).catch((error: unknown) => conditions.push({ type: 'PolicyInvalid', message: reasonOf(error) }));
  for (const { name, used, limit } of uses) {
    if (limit === undefined || used < limit) continue;
    const use: QuotaUse = { name, used, limit };
    conditions.push({ type: 'OverQuota', quota: name, message: overQuotaSentence(tenant, use) });
  }
  if (tasks.dead > 0)
    conditions.push({
      type: 'DeadTasks',
      message: `${tasks.dead} tasks are dead. "clawhold queue dead" shows why, "queue requeue" tries again.`,
    });
  return {
    tenant,
    state: found === undefined ? 'invalid' : found.isActive ? 'active' : 'suspended',
    title: found?.config.title ?? '',
    ...(found === undefined ? {} : { config: found.config }),
    uses,
    tasks,
    requestsToday: ctx.usage.requests(tenant, nowMs),
    conditions,
  };
}

function readTenant(ctx: StatusContext, tenant: TenantId, conditions: TenantCondition[]): ReturnType<Tenants['existing']> | undefined {
  try {
    return ctx.tenants.existing(tenant);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'state.unknown-tenant') throw error;
    conditions.push({ type: 'ConfigInvalid', message: reasonOf(error) });
    return undefined;
  }
}

const defaults: Quotas = { usdPerDay: defaultUsdPerDay, schedules: defaultSchedules };

interface UseParts {
  readonly tenant: TenantId;
  readonly tasks: TaskCounts;
  readonly limits: Quotas;
  readonly nowMs: number;
}

async function usesOf(ctx: StatusContext, { tenant, tasks, limits, nowMs }: UseParts): Promise<readonly ShownUse[]> {
  const held = ctx.holds.use(tenant, nowMs);
  const { bytes } = await ctx.usage.measureStorage(tenant);
  const used: readonly (readonly [QuotaName, number])[] = [
    ['concurrentRuns', tasks.ready + tasks.leased],
    ['queuedTasks', tasks.ready + tasks.scheduled],
    ['sandboxes', held.sandboxes],
    ['sandboxCpu', held.cpu],
    ['sandboxMemoryMb', held.memoryMb],
    ['storageMb', Math.ceil(bytes / 2 ** 20)],
    ['schedules', ctx.schedules.count(tenant)],
    ['usdPerDay', ctx.usage.costMicroUsd(tenant, nowMs) / 1e6],
  ];
  return used.map(([name, amount]) => {
    const limit = limits[name] ?? defaults[name];
    return limit === undefined ? { name, used: amount } : { name, used: amount, limit };
  });
}
