import { ModelError } from '../contracts/model-error.ts';

export interface RetryPolicy {
  /** Requests in all, the first included. */
  readonly attempts: number;
  readonly baseMs: number;
  /** The longest wait. A provider that asks for more is not asked again. */
  readonly maxWaitMs: number;
}

export const defaultRetry: RetryPolicy = { attempts: 4, baseMs: 500, maxWaitMs: 60_000 };
/** Time-outs are long: two of them are enough to know. Garbage is asked again once, because a proxy in between may have made it. */
const attemptsByCode: Readonly<Record<string, number>> = { 'models.timeout': 2, 'models.bad-answer': 2 };

/**
 * Milliseconds until the next attempt, or undefined when there is none: the failure will not pass, the attempts are
 * used up, or the provider asks for more patience than `maxWaitMs`.
 * Half of each wait is jitter: `random` gives a number in [0, 1).
 */
export function nextWaitMs(thrown: unknown, attempt: number, policy: RetryPolicy & { readonly random: () => number }): number | undefined {
  if (!(thrown instanceof ModelError)) return undefined;
  const cap = attemptsByCode[thrown.code];
  if (cap === undefined && thrown.errorClass === 'non_transient') return undefined;
  if (attempt >= Math.min(policy.attempts, cap ?? policy.attempts)) return undefined;
  if (thrown.retryAfterMs !== undefined) return thrown.retryAfterMs > policy.maxWaitMs ? undefined : thrown.retryAfterMs;
  const full = Math.min(policy.maxWaitMs, policy.baseMs * 2 ** (attempt - 1));
  return Math.round(full * (0.5 + policy.random() / 2));
}
