import { randomInt } from 'node:crypto';
import { RunStopped } from '../../agent/run-signal.ts';
import { diskCodeOf } from '../../contracts/disk-failure.ts';
import { ClawholdError, publicReasonOf, reasonOf } from '../../contracts/errors.ts';
import { LeaseLostError } from '../../contracts/lease-lost-error.ts';
import type { GiveBack } from '../../state/queue.ts';

/** What becomes of a task and its run after a delivery. */
export type Verdict =
  /** The run reached a state that lasts. */
  | { readonly kind: 'done' }
  /** It ended before it could begin or go on: no further delivery would help. */
  | { readonly kind: 'failed'; readonly code: string; readonly reason: string }
  | ({ readonly kind: 'back' } & GiveBack)
  /** Somebody else holds it: it is none of our business any more. */
  | { readonly kind: 'lost' };

const longestBackoffMs = 60_000;

/** Sessions and runs at work elsewhere, and runs that another one began: nothing is wrong, only too early. */
const early: ReadonlySet<string> = new Set(['worker.session-busy', 'worker.run-busy', 'worker.run-begun']);

/** For money: until another run ends, or the day does. */
const moneyWaits: ReadonlyMap<string, number> = new Map([
  ['worker.money-held', 4000],
  ['worker.money-spent', 60_000],
]);

const diskDelayMs = 5000;

/**
 * By the failure's class: what may pass is tried again, later each time; what will not is the run's end. A disk that
 * takes nothing is no fault of any task: however long that lasts, none of them is given up for it.
 */
export function judgeFailure(error: unknown, delivery: number): Verdict {
  if (error instanceof LeaseLostError) return { kind: 'lost' };
  if (error instanceof RunStopped && error.why === 'released')
    return { kind: 'back', delayMs: 0, reason: 'its worker was stopped', isUncounted: true };
  if (error instanceof ClawholdError && early.has(error.code)) return soonAgain(error.code);
  const waitMs = error instanceof ClawholdError ? moneyWaits.get(error.code) : undefined;
  if (waitMs !== undefined) return { kind: 'back', delayMs: randomInt(waitMs / 2, waitMs), reason: reasonOf(error), isUncounted: true };
  if (error instanceof ClawholdError && error.remedy !== 'retry') return { kind: 'failed', code: error.code, reason: error.publicMessage };
  const diskCode = diskCodeOf(error);
  if (diskCode !== undefined)
    return { kind: 'back', delayMs: diskDelayMs, reason: `the disk takes nothing (${diskCode})`, isUncounted: true };
  const reason = error instanceof ClawholdError ? `${error.code}: ${publicReasonOf(error)}` : publicReasonOf(error);
  return { kind: 'back', delayMs: backoffMs(delivery), reason };
}

/** Not at the same moment as everybody else who is early. */
export function soonAgain(reason: string): Verdict {
  return { kind: 'back', delayMs: randomInt(100, 250), reason, isUncounted: true };
}

function backoffMs(delivery: number): number {
  const most = Math.min(longestBackoffMs, 500 * 2 ** delivery);
  return randomInt(most / 2, most);
}
