import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../contracts/log.ts';

export interface GiveUpContext {
  /** Each tells the run to stop. */
  readonly signals: readonly AbortSignal[];
  /** How long the run may take to notice. */
  readonly patienceMs: number;
  readonly log: Log;
}

/**
 * A run that does not notice that it is to stop must not keep its slot. Whatever it still does, its hold is over.
 *
 * Contract: the signals know nothing of the work once this settled. A signal that was made of others is kept as long as
 * it has a listener, with everything that the listener sees.
 * @throws the reason of the signal that fired first, when the work was given up.
 */
export async function orGiveUp<T>({ signals, patienceMs, log }: GiveUpContext, work: Promise<T>): Promise<T> {
  let patience: AbortController | undefined;
  const { promise: givenUp, reject } = Promise.withResolvers<never>();
  givenUp.catch(() => undefined);
  const stop = async (): Promise<void> => {
    patience ??= new AbortController();
    try {
      await delay(patienceMs, undefined, { signal: patience.signal, ref: false });
    } catch {
      // silent-ok: the work ended in time.
      return;
    }
    log.error('a run does not stop; its slot is given to others', {});
    reject(signals.find(({ aborted }) => aborted)?.reason);
  };
  const onAbort = (): void => void stop();
  if (signals.some(({ aborted }) => aborted)) onAbort();
  else for (const signal of signals) signal.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work, givenUp]);
  } finally {
    patience?.abort();
    for (const signal of signals) signal.removeEventListener('abort', onAbort);
  }
}
