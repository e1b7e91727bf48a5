import type { ScheduleJob } from '../contracts/schedule.ts';
import type { FiringRow, JobRow, Schedules } from '../state/schedules.ts';

/** A job as programs see it, through whichever door. */
export interface JobView {
  readonly job: ScheduleJob;
  readonly origin: JobRow['origin'];
  readonly created: string;
  /** ISO 8601; null: it has no slot any more, or is paused. */
  readonly next: string | null;
  /** Why it does not fire; null: it does. */
  readonly paused: string | null;
  readonly last: FiringView | null;
}

export interface FiringView {
  readonly job: string;
  readonly slot: string;
  readonly isManual: boolean;
  readonly state: FiringRow['state'];
  readonly run: string | null;
  readonly runState: string | null;
  readonly reason: string;
  readonly interruptions: number;
}

export function jobView({ schedules }: { readonly schedules: Pick<Schedules, 'history'> }, row: JobRow): JobView {
  const [last] = schedules.history({ tenant: row.tenant, job: row.id, limit: 1 });
  return {
    job: row.job,
    origin: row.origin,
    created: new Date(row.createdMs).toISOString(),
    next: row.nextMs === undefined || row.pauseReason !== undefined ? null : new Date(row.nextMs).toISOString(),
    paused: row.pauseReason ?? null,
    last: last === undefined ? null : firingView(last),
  };
}

export function firingView({ job, slotMs, isManual, state, run, runState, reason, interruptions }: FiringRow): FiringView {
  return {
    job,
    slot: new Date(slotMs).toISOString(),
    isManual,
    state,
    run: run ?? null,
    runState: runState ?? null,
    reason,
    interruptions,
  };
}
