import type { QueueCounts } from '../../state/queue.ts';
import type { TenantStatus } from '../read-status.ts';

const longWaitMs = 15 * 60_000;

export interface ConditionFacts {
  readonly queued: readonly QueueCounts[];
  readonly nowMs: number;
  /** Why the tenant's file is not valid. */
  readonly problem: string | undefined;
}

/** What an operator should know of a tenant now, the worst first; empty when all is well. */
export function conditionsOf(tenant: Omit<TenantStatus, 'conditions'>, { queued, nowMs, problem }: ConditionFacts): string[] {
  const { quotas } = tenant;
  const oldest = Math.min(nowMs, ...queued.flatMap(({ isPaused, oldestReadyMs }) => (isPaused ? [] : (oldestReadyMs ?? []))));
  const atWork = tenant.ready + tenant.leased;
  const conditions: (string | false)[] = [
    problem !== undefined && `tenant.yaml is not valid, so nothing starts: ${problem}`,
    tenant.state === 'suspended' && 'suspended: nothing starts',
    tenant.usdToday >= tenant.usdPerDay &&
      `the budget of the day is spent: ${tenant.usdToday.toFixed(2)} of ${tenant.usdPerDay.toFixed(2)} USD`,
    quotas.concurrentRuns !== undefined &&
      atWork >= quotas.concurrentRuns &&
      `at its quota of concurrent runs: ${atWork} of ${quotas.concurrentRuns}`,
    quotas.queuedTasks !== undefined &&
      tenant.ready + tenant.scheduled >= quotas.queuedTasks &&
      `at its quota of queued tasks: ${tenant.ready + tenant.scheduled} of ${quotas.queuedTasks}`,
    queued.some(({ isPaused }) => isPaused) && 'its queue is paused',
    tenant.dead > 0 && `${tenant.dead} dead task${tenant.dead === 1 ? '' : 's'}: clawhold queue dead shows why`,
    nowMs - oldest > longWaitMs && `a task has waited for ${Math.round((nowMs - oldest) / 60_000)} minutes`,
    tenant.failedToday > 0 && `${tenant.failedToday} of ${tenant.startedToday} runs failed today`,
    tenant.waiting > 0 && `${tenant.waiting} run${tenant.waiting === 1 ? ' waits' : 's wait'} for a human: clawhold approvals list`,
  ];
  return conditions.filter((condition) => condition !== false);
}
