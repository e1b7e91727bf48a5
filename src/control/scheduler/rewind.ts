import { firstFiring } from '../plan-firings.ts';
import { timingOf, type ChangeJobsContext } from '../change-jobs.ts';

/**
 * After a start, or when the clock went back: jobs whose next slot lies further away than their times say would be silent
 * until the clock is there again. Slots that were started stay started, whatever the clock says.
 */
export function rewindJobs({ schedules }: Pick<ChangeJobsContext, 'schedules'>, nowMs: number): void {
  for (const row of schedules.list()) {
    if (row.pauseReason !== undefined) continue;
    const next = firstFiring(timingOf(row), nowMs);
    if (next !== undefined && next.slotMs < (row.nextMs ?? Infinity)) schedules.setNext(row, next);
  }
}
