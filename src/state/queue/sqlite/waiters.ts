import type { QueueScope } from '../../queue.ts';

export interface WaitersContext {
  readonly mayLease: (scope: QueueScope) => boolean;
  /** Whether something is due, or another process committed something since the last time. */
  readonly hasNews: () => boolean;
  /** Look often for a while after there was news: another process puts what is waited for here. */
  readonly isBrisk: boolean;
}

interface Waiter {
  readonly scope: QueueScope;
  readonly wake: () => void;
}

/** How long a task that another process put, or that becomes due, may stay unseen. */
const pollMs = 20;
/** The same while others keep putting. */
const briskPollMs = 2;
/** So many brisk looks without news end it: about a second. */
const briskLooks = 500;

/** Consumers that wait for something to lease. Only while there are some, news from elsewhere is looked for. */
export class Waiters implements Disposable {
  readonly #context: WaitersContext;
  readonly #waiting = new Set<Waiter>();
  #poll: NodeJS.Timeout | undefined;
  /** Brisk looks that are left. */
  #brisk = 0;
  #isClosed = false;

  constructor(context: WaitersContext) {
    this.#context = context;
  }

  async wait(scope: QueueScope, maxMs: number, signal: AbortSignal): Promise<void> {
    if (this.#isClosed || signal.aborted || this.#context.mayLease(scope)) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    const waiter: Waiter = { scope, wake: resolve };
    const timer = setTimeout(resolve, maxMs);
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    this.#waiting.add(waiter);
    this.#poll ??= this.#lookLater();
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      this.#waiting.delete(waiter);
      if (this.#waiting.size === 0) this.#stop();
    }
  }

  /** Wakes those that may find something. */
  check(): void {
    for (const { scope, wake } of this.#waiting) {
      if (this.#context.mayLease(scope)) wake();
    }
  }

  [Symbol.dispose](): void {
    this.#isClosed = true;
    for (const { wake } of this.#waiting) wake();
    this.#stop();
  }

  #lookLater(): NodeJS.Timeout {
    return setTimeout(() => this.#look(), this.#brisk > 0 ? briskPollMs : pollMs).unref();
  }

  #look(): void {
    const hasNews = this.#context.hasNews();
    this.#brisk = hasNews && this.#context.isBrisk ? briskLooks : Math.max(0, this.#brisk - 1);
    this.#poll = this.#lookLater();
    if (hasNews) this.check();
  }

  #stop(): void {
    clearTimeout(this.#poll);
    this.#poll = undefined;
  }
}
