import { setImmediate as yieldToOthers } from 'node:timers/promises';
import { timingOf, type ChangeJobsContext } from '../change-jobs.ts';
import { firstFiring } from '../plan-firings.ts';

/** So many are computed before the process does something else: thousands of jobs must not hold up a server's start. */
const atOnce = 20;

/**
 * After a start, or when the clock went back: jobs whose next slot lies further away than their times say would be silent
 * until the clock is there again. Slots that were started stay started, whatever the clock says.
 */
export async function rewindJobs({ schedules }: Pick<ChangeJobsContext, 'schedules'>, nowMs: number): Promise<void> {
  for (const [index, row] of schedules.list().entries()) {
    if (index % atOnce === atOnce - 1) await yieldToOthers();
    if (row.pauseReason !== undefined) continue;
    const next = firstFiring(timingOf(row), nowMs);
    if (next !== undefined && next.slotMs < (row.nextMs ?? Infinity)) schedules.setNext(row, next);
  }
}
