import type { AgentConfig } from '../contracts/config.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { ScheduleJob } from '../contracts/schedule.ts';
import { timeFault } from './slots.ts';

/** What is wrong with a schedule, and where in `agent.yaml`. */
export interface ScheduleFault {
  readonly path: readonly string[];
  readonly message: string;
}

export type AgentJob =
  | { readonly kind: 'job'; readonly job: ScheduleJob }
  /** The agent has no schedule. */
  | { readonly kind: 'none' }
  | { readonly kind: 'fault'; readonly fault: ScheduleFault };

/** The job that an agent's file asks for: it bears the agent's name. */
export function jobOfAgent(tenant: TenantId, agent: AgentId, { schedule, task }: Pick<AgentConfig, 'schedule' | 'task'>): AgentJob {
  if (schedule === undefined) return { kind: 'none' };
  const fault = timeFault(schedule.when);
  if (fault !== undefined) return { kind: 'fault', fault: { path: ['schedule', 'when', fault.field], message: fault.message } };
  const message = schedule.message ?? task;
  if (message === undefined || message.trim() === '')
    return { kind: 'fault', fault: { path: ['schedule'], message: 'has no message, and the agent has no task: add one of the two' } };
  return {
    kind: 'job',
    job: { ...schedule, id: agent, tenant, agent, message, mode: schedule.mode ?? 'isolated', notify: schedule.notify ?? null },
  };
}
