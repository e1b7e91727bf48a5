import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { RunStopped } from '../agent/run-signal.ts';
import { reasonOf } from '../contracts/errors.ts';
import type { RunId, TenantId } from '../contracts/ids.ts';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { RunItem } from '../contracts/run.ts';
import type { Tracer } from '../contracts/trace.ts';
import type { RunEvent } from '../agent/run-events.ts';
import type { Lease, Queue, QueueScope } from '../state/queue.ts';
import type { RunRow } from '../state/runs.ts';
import { workOnTask } from './executor/work-on-task.ts';
import type { ItemOutcome, WorkerContext } from './worker-context.ts';

export interface ExecutorContext {
  readonly queue: Pick<Queue, 'lease' | 'extend' | 'ack' | 'nak' | 'waitForWork'>;
  /** Names this executor on the queue. */
  readonly name: string;
  /** Runs at the same time. */
  readonly concurrency: number;
  readonly leaseMs: number;
  readonly scope?: QueueScope;
  readonly log: Log;
  readonly metrics: Metrics;
  readonly tracer: Tracer;
  /** Told of the step of the trace in which a run is worked on; disposed with it. */
  readonly traced?: (run: RunId, traceparent: string) => Disposable;
  /** When runs were asked for that were put a moment ago and here: `WorkerContext.sinceMs`. */
  readonly arrivals?: { take(run: RunId): number | undefined };
  /** Opened for that tenant alone, with its configuration as it is now. */
  readonly workerOf: (tenant: TenantId) => Promise<WorkerContext>;
  /** Asked every few seconds for what is at work: what a tenant that was suspended has here is given back. Default: it may. */
  readonly mayWork?: (tenant: TenantId) => boolean;
  /** Asked when a run that waited on the queue begins. @throws ClawholdError when it may not any more; default: it may. */
  readonly mayBegin?: (item: RunItem) => Promise<void>;
  /** What a run tells while it works. */
  readonly publish: (run: { readonly tenant: TenantId; readonly run: RunId }, event: RunEvent) => void;
  /** After a run reached a state that lasts, or parked. */
  readonly settled: (run: RunRow, outcome: ItemOutcome) => Promise<void>;
}

/** Pulls tasks from the queue and works on them. */
export interface Executor {
  start(): void;
  readonly busy: number;
  /** Milliseconds since something was last at work here; 0 while something is. */
  idleMs(): number;
  /** Stops the run in which an error was thrown that nobody caught. False: it was not thrown in any. */
  blame(error: unknown): boolean;
  /**
   * Takes nothing more, and waits so long for what is at work; then gives it back, to be continued by whoever takes it
   * next. Resolves when nothing is left.
   */
  drain(waitMs: number): Promise<void>;
}

/** How long a run may take to notice that it is to stop, before its slot is given to another. */
const patienceMs = 10_000;
const lookMs = 2000;
const newsMs = 60_000;

export function openExecutor(ctx: ExecutorContext): Executor {
  return new TaskExecutor(ctx);
}

interface AtWork {
  readonly tenant: TenantId;
  readonly stop: AbortController;
  /** Its run is over, and only the queue has still to be told: another one may have its slot. */
  isOver: boolean;
  ended: Promise<void>;
  /** What was thrown in it and not caught. */
  crash?: string;
}

class TaskExecutor implements Executor {
  readonly #ctx: ExecutorContext;
  readonly #stop = new AbortController();
  readonly #inTask = new AsyncLocalStorage<AtWork>();
  readonly #atWork = new Set<AtWork>();
  #runs = 0;
  /** Sessions at work here: their next run waits. */
  readonly #sessions = new Set<string>();
  #loop: Promise<void> = Promise.resolve();
  #freed = Promise.withResolvers<void>();
  #idleSinceMs = performance.now();
  #look: NodeJS.Timeout | undefined;
  /** What was said, until it is news again. */
  readonly #said = new Set<string>();

  constructor(ctx: ExecutorContext) {
    this.#ctx = ctx;
  }

  start(): void {
    this.#loop = this.#pull();
    this.#look = setInterval(() => this.#releaseSuspended(), lookMs).unref();
  }

  get busy(): number {
    return this.#atWork.size;
  }

  idleMs(): number {
    return this.busy > 0 ? 0 : performance.now() - this.#idleSinceMs;
  }

  blame(error: unknown): boolean {
    const task = this.#inTask.getStore();
    if (task === undefined) return false;
    task.crash = reasonOf(error);
    this.#ctx.log.error('an error was thrown in a run that nobody caught', { reason: task.crash });
    task.stop.abort(new RunStopped('released'));
    return true;
  }

  async drain(waitMs: number): Promise<void> {
    this.#stop.abort();
    this.#freed.resolve();
    clearInterval(this.#look);
    await this.#loop;
    const timer = new AbortController();
    await Promise.race([this.#allEnded(), delay(waitMs, undefined, { signal: timer.signal }).catch(() => undefined)]);
    timer.abort();
    for (const { stop } of this.#atWork) stop.abort(new RunStopped('released'));
    await this.#allEnded();
  }

  async #allEnded(): Promise<void> {
    while (this.#atWork.size > 0) await Promise.all([...this.#atWork].map(async ({ ended }) => await ended));
  }

  /** Nothing of it is leased again before it is resumed; then it goes on from its journal. */
  #releaseSuspended(): void {
    const { mayWork = () => true } = this.#ctx;
    for (const { stop, tenant } of this.#atWork) if (!stop.signal.aborted && !mayWork(tenant)) stop.abort(new RunStopped('released'));
  }

  #isNews(what: string): boolean {
    if (this.#said.has(what)) return false;
    this.#said.add(what);
    setTimeout(() => this.#said.delete(what), newsMs).unref();
    return true;
  }

  /** Leases as many tasks as there are free slots, and waits when there are none of either. */
  async #pull(): Promise<void> {
    const { signal } = this.#stop;
    for (let empty = 0; !signal.aborted;) {
      const free = this.#ctx.concurrency - this.#runs;
      if (free === 0) {
        await this.#freed.promise;
        continue;
      }
      const taken = await this.#lease(free);
      empty = taken > 0 ? 0 : empty + 1;
      // Fewer than were asked for: there are no more.
      if (taken < free) await this.#waitForWork(empty);
    }
  }

  async #lease(max: number): Promise<number> {
    const { queue, name: worker, leaseMs, scope, log } = this.#ctx;
    const takenMs = performance.now();
    try {
      const leases = await queue.lease({ worker, leaseMs, max, ...(scope === undefined ? {} : { scope }) });
      for (const lease of leases) this.#begin(lease, takenMs);
      return leases.length;
    } catch (error) {
      log.error('the queue gives no tasks', { reason: reasonOf(error) });
      await delay(500);
      return 0;
    }
  }

  /** What is ready may be somebody's who has enough at work: looking again and again finds nothing new. */
  async #waitForWork(empty: number): Promise<void> {
    const { queue, scope = {} } = this.#ctx;
    const { signal } = this.#stop;
    // silent-ok: a wait that is given up is over.
    await queue.waitForWork(scope, 1000, signal).catch(() => undefined);
    if (empty > 2) await delay(Math.min(50, 5 * empty), undefined, { signal }).catch(() => undefined);
  }

  #begin(lease: Lease, takenMs: number): void {
    const tenant = lease.message.tenant_id as TenantId;
    const entry: AtWork = { tenant, stop: new AbortController(), isOver: false, ended: Promise.resolve() };
    this.#atWork.add(entry);
    this.#runs += 1;
    const over = (): void => this.#free(entry);
    const parts = {
      sessions: this.#sessions,
      patienceMs,
      signal: entry.stop.signal,
      isNews: (what: string) => this.#isNews(what),
      crash: () => entry.crash,
      over,
    };
    if (this.#stop.signal.aborted) entry.stop.abort(new RunStopped('released'));
    const work = this.#inTask.run(entry, async () => await workOnTask({ ...this.#ctx, ...parts }, lease, takenMs));
    entry.ended = work.finally(() => {
      this.#atWork.delete(entry);
      if (this.busy === 0) this.#idleSinceMs = performance.now();
      this.#free(entry);
    });
  }

  #free(entry: AtWork): void {
    if (entry.isOver) return;
    entry.isOver = true;
    this.#runs -= 1;
    this.#freed.resolve();
    this.#freed = Promise.withResolvers();
  }
}
