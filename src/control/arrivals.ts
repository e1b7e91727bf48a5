import { monotonicMs } from '../contracts/clock.ts';
import type { RunId } from '../contracts/ids.ts';

/**
 * When runs were asked for, for the worker of the same process: what admission looked at after that, for this run or for
 * another one, the start of the run need not look at again. Only for a moment: who waited on the queue begins with what
 * the files say then.
 */
export interface Arrivals {
  /** @param sinceMs of `monotonicMs`, before anything was looked at. */
  add(run: RunId, sinceMs: number): void;
  /** Undefined when it was not here, or too long ago. Forgets it. */
  take(run: RunId): number | undefined;
}

const freshMs = 1000;
const maxRuns = 4096;

export function openArrivals(nowMs: () => number = monotonicMs): Arrivals {
  const arrived = new Map<RunId, number>();
  return {
    add: (run, sinceMs) => {
      if (arrived.size >= maxRuns) arrived.clear();
      arrived.set(run, sinceMs);
    },
    take: (run) => {
      const sinceMs = arrived.get(run);
      arrived.delete(run);
      return sinceMs === undefined || nowMs() - sinceMs > freshMs ? undefined : sinceMs;
    },
  };
}
