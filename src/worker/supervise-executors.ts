import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { Queue } from '../state/queue.ts';

/** One executor in a process of its own. */
export interface ExecutorProcess {
  readonly pid: number;
  /** Resolves with why it ended: `idle` when it had nothing to do for long, `stopped` when it was told to, else its death. */
  readonly ended: Promise<string>;
  /** Whether it said anything since this was asked last. */
  heard(): boolean;
  /** What it holds for itself alone, in bytes; undefined where the system does not tell, or when it is gone. */
  memoryBytes(): number | undefined;
  /** Asks it to give back what it cannot finish soon, and to end. */
  stop(): void;
  kill(): void;
}

export interface SuperviseContext {
  readonly queue: Pick<Queue, 'waitForWork' | 'counts'>;
  readonly count: number;
  readonly start: (slot: number) => ExecutorProcess;
  readonly log: Log;
  readonly metrics: Metrics;
  /** How long a process may take to end after it was asked to. */
  readonly stopMs: number;
  /** Between two deaths soon after each other: doubled each time. Default 250 ms. */
  readonly backoffMs?: number;
  /** One that says nothing at so many looks, so far apart, hangs: it is killed. Defaults 12 and 5 s. */
  readonly silentLooks?: number;
  readonly lookMs?: number;
  /** One that holds more is killed: the bound of its JavaScript heap does not see what lies beside it, such as buffers. */
  readonly maxMemoryBytes: number;
  /** Between two looks at memory. Default 500 ms. */
  readonly memoryLookMs?: number;
  readonly changed?: (pids: readonly number[]) => void;
}

export interface Supervisor {
  readonly pids: readonly number[];
  /** Resolves when all of them have ended. */
  stop(): Promise<void>;
}

const longestBackoffMs = 30_000;
/** One that lived so long died of something else than its start. */
const soundMs = 60_000;

/**
 * Keeps executor processes alive: one that dies is started again, later each time it dies soon; one that hangs is killed
 * and started again, for its task is somebody else's by then and its slot would be lost; so is one that takes the memory of
 * all; one that ended for lack of work is
 * started when there is some, as many as there are tasks.
 */
export function superviseExecutors(ctx: SuperviseContext): Supervisor {
  const stopped = new AbortController();
  const running = new Map<number, ExecutorProcess>();
  const changed = (): void => ctx.changed?.([...running.values()].map(({ pid }) => pid));
  const slots = Array.from(
    { length: ctx.count },
    async (_, slot) => await keepSlot(ctx, { slot, running, changed, signal: stopped.signal }),
  );
  const looking = setInterval(lookerAt(ctx, running), ctx.lookMs ?? 5000).unref();
  const measuring = setInterval(() => killLarge(ctx, running), ctx.memoryLookMs ?? 500).unref();
  return {
    get pids() {
      return [...running.values()].map(({ pid }) => pid);
    },
    stop: async () => {
      stopped.abort();
      clearInterval(looking);
      clearInterval(measuring);
      for (const one of running.values()) one.stop();
      const late = setTimeout(() => {
        for (const one of running.values()) one.kill();
      }, ctx.stopMs);
      await Promise.all(slots);
      clearTimeout(late);
    },
  };
}

/** Looks are counted and not time: while this process sleeps, nobody else is silent. */
function lookerAt({ log, silentLooks = 12 }: SuperviseContext, running: ReadonlyMap<number, ExecutorProcess>): () => void {
  const silent = new WeakMap<ExecutorProcess, number>();
  return () => {
    for (const child of running.values()) {
      const looks = child.heard() ? 0 : (silent.get(child) ?? 0) + 1;
      silent.set(child, looks);
      if (looks !== silentLooks) continue;
      log.error('an executor process hangs and is killed', { executor_pid: child.pid });
      child.kill();
    }
  };
}

function killLarge({ log, maxMemoryBytes }: SuperviseContext, running: ReadonlyMap<number, ExecutorProcess>): void {
  for (const child of running.values()) {
    const bytes = child.memoryBytes() ?? 0;
    if (bytes <= maxMemoryBytes) continue;
    log.error('an executor process holds more memory than it may and is killed', {
      executor_pid: child.pid,
      bytes,
      limit_bytes: maxMemoryBytes,
    });
    child.kill();
  }
}

interface Slot {
  readonly slot: number;
  readonly running: Map<number, ExecutorProcess>;
  readonly changed: () => void;
  readonly signal: AbortSignal;
}

async function keepSlot(ctx: SuperviseContext, { slot, running, changed, signal }: Slot): Promise<void> {
  const first = ctx.backoffMs ?? 250;
  for (let backoffMs = first; !signal.aborted;) {
    const startedMs = performance.now();
    const child = ctx.start(slot);
    running.set(slot, child);
    changed();
    const why = await child.ended;
    running.delete(slot);
    changed();
    if (signal.aborted) return;
    if (why === 'idle') {
      await waitForTasks(ctx, { slot, running, signal });
      continue;
    }
    ctx.metrics.count('executor_restarts_total', { reason: why });
    ctx.log.error('an executor process died and is started again', { reason: why, executor_pid: child.pid });
    backoffMs = performance.now() - startedMs > soundMs ? first : Math.min(longestBackoffMs, backoffMs * 2);
    // silent-ok: a wait that is given up is over.
    await delay(backoffMs / 2, undefined, { signal }).catch(() => undefined);
  }
}

/** Slots take their turn, so that one task wakes one process. */
async function waitForTasks(ctx: SuperviseContext, { slot, running, signal }: Omit<Slot, 'changed'>): Promise<void> {
  while (!signal.aborted) {
    await ctx.queue.waitForWork({}, 60_000, signal);
    const counts = await ctx.queue.counts();
    const ready = counts.reduce((sum, { ready: some, isPaused }) => sum + (isPaused ? 0 : some), 0);
    const idleBefore = Array.from({ length: slot }, (_, other) => other).filter((other) => !running.has(other)).length;
    if (ready > idleBefore) return;
    // silent-ok: a wait that is given up is over.
    await delay(100, undefined, { signal }).catch(() => undefined);
  }
}
