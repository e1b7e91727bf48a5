import type { Log } from '../contracts/log.ts';
import type { ReadinessCheck } from './gateway-context.ts';

export interface WatchReadinessContext {
  /** Asks everything that the installation needs. */
  readonly look: () => Promise<readonly ReadinessCheck[]>;
  readonly log: Log;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
  /** For how long an answer is good. Default 1000. */
  readonly freshMs?: number;
}

/**
 * What is ready, asked by anybody as often as they like.
 *
 * Contract: however many ask, everything is looked at once a second at most, and only one look is under way; the log
 * tells of each check when it fails for the first time, or for another reason, and when it is ready again.
 */
export function watchReadiness(ctx: WatchReadinessContext): () => Promise<readonly ReadinessCheck[]> {
  const { look, log, nowMs, freshMs = 1000 } = ctx;
  const failing = new Map<string, string>();
  let last: { readonly sinceMs: number; readonly checks: Promise<readonly ReadinessCheck[]> } | undefined;
  const lookNow = async (): Promise<readonly ReadinessCheck[]> => {
    const checks = await look();
    for (const check of checks) tellChange(log, failing, check);
    return checks;
  };
  return async () => {
    if (last === undefined || nowMs() - last.sinceMs >= freshMs) {
      last = { sinceMs: nowMs(), checks: lookNow() };
      // One that failed as a whole is no answer to the next who asks.
      last.checks.catch(() => (last = undefined));
    }
    return await last.checks;
  };
}

function tellChange(log: Log, failing: Map<string, string>, { name, isReady, why = '' }: ReadinessCheck): void {
  if (isReady) {
    if (failing.delete(name)) log.info('ready again', { check: name });
  } else if (failing.get(name) !== why) {
    failing.set(name, why);
    log.warn('not ready', { check: name, error: why });
  }
}
