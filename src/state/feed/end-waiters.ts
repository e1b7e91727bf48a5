import type { RunId } from '../../contracts/ids.ts';
import type { RunEnd } from './journal-events.ts';

export interface WaitForEnd {
  readonly signal: AbortSignal;
  /** Asked now and then: whether the run has ended or waits, told or not. */
  readonly isOver: () => boolean;
}

/** Who waits for runs to end, without following them. */
export interface EndWaiters {
  /**
   * The end as it is told; undefined when the run is over without having told it here, when it tells nothing for long, or
   * when the signal fires.
   */
  wait(run: RunId, options: WaitForEnd): Promise<RunEnd | undefined>;
  tell(run: RunId, end: RunEnd): void;
  /** Runs that somebody waits for. */
  readonly size: number;
}

const firstLookMs = 50;
const lastLookMs = 500;

export function openEndWaiters(): EndWaiters {
  const waiting = new Map<RunId, Set<(end: RunEnd | undefined) => void>>();
  return {
    get size() {
      return waiting.size;
    },
    tell: (run, end) => {
      for (const wake of waiting.get(run) ?? []) wake(end);
    },
    wait: async (run, { signal, isOver }) => {
      if (signal.aborted || isOver()) return undefined;
      const { promise, resolve } = Promise.withResolvers<RunEnd | undefined>();
      const stop = (): void => resolve(undefined);
      const look = (ms: number): NodeJS.Timeout =>
        setTimeout(() => {
          if (ms > lastLookMs || isOver()) stop();
          else timer = look(ms * 1.5);
        }, ms).unref();
      let timer = look(firstLookMs);
      const wakers = waiting.get(run) ?? new Set();
      waiting.set(run, wakers.add(resolve));
      signal.addEventListener('abort', stop, { once: true });
      try {
        return await promise;
      } finally {
        clearTimeout(timer);
        signal.removeEventListener('abort', stop);
        wakers.delete(resolve);
        if (wakers.size === 0) waiting.delete(run);
      }
    },
  };
}
