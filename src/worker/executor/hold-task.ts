import { LeaseLostError } from '../../contracts/lease-lost-error.ts';
import type { TaskId } from '../../contracts/ids.ts';
import type { Lease, Queue } from '../../state/queue.ts';
import type { RunLease } from '../worker-context.ts';

export interface HoldTaskContext {
  readonly queue: Pick<Queue, 'extend'>;
  readonly leaseMs: number;
  /** A task that takes longer is not held any more: whatever works on it hangs. */
  readonly maxHoldMs: number;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

/** A leased task whose lease is prolonged until it is disposed or lost. */
export interface HeldTask extends Disposable {
  readonly lease: RunLease;
}

/**
 * Prolongs a lease by a heartbeat.
 *
 * Contract: `check` fails from the moment on at which the queue may give the task on, by a clock that nobody sets and
 * that a paused process finds moved on when it wakes up; it errs on the early side.
 */
export function holdTask(ctx: HoldTaskContext, lease: Lease, takenMs: number): HeldTask {
  const controller = new AbortController();
  const task = lease.message.task_id as TaskId;
  const safeMs = ctx.leaseMs - Math.min(1000, ctx.leaseMs / 10);
  let deadlineMs = takenMs + safeMs;
  let timer: NodeJS.Timeout | undefined;
  const lose = (cause?: unknown): void => controller.abort(new LeaseLostError(task, { cause }));
  const beat = async (): Promise<void> => {
    const askedMs = ctx.nowMs();
    if (askedMs >= deadlineMs) return lose();
    try {
      if (askedMs < takenMs + ctx.maxHoldMs) {
        await ctx.queue.extend(lease, ctx.leaseMs);
        deadlineMs = askedMs + safeMs;
      }
    } catch (error) {
      if (error instanceof LeaseLostError) return lose(error);
      // silent-ok: a queue that cannot be written now is asked again until the deadline, which then says it.
    }
    next();
  };
  const next = (): void => {
    timer = controller.signal.aborted ? undefined : setTimeout(() => void beat(), Math.min(ctx.leaseMs / 3, waitLeft()));
  };
  const waitLeft = (): number => Math.max(1, deadlineMs - ctx.nowMs());
  next();
  return {
    lease: {
      task,
      fence: lease.fence,
      signal: controller.signal,
      check: () => {
        if (!controller.signal.aborted && ctx.nowMs() >= deadlineMs) lose();
        controller.signal.throwIfAborted();
      },
    },
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}
