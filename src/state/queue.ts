import type { TaskId, TenantId } from '../contracts/ids.ts';
import type { TaskMessage } from '../contracts/task.ts';

/** Which tasks a consumer takes, or a command speaks of. What is absent is not restricted. */
export interface QueueScope {
  readonly tenant?: TenantId;
  readonly agentType?: string;
  readonly shard?: number;
}

export interface PutTask {
  readonly message: TaskMessage;
  /** 0 (first) to 9. Default 5. Order holds within one tenant; between tenants, shares decide. */
  readonly priority?: number;
  /** Not before this time (milliseconds since the epoch). */
  readonly notBeforeMs?: number;
  /** Default 5. */
  readonly maxDeliveries?: number;
}

export interface PutOutcome {
  /** Of the task that has this idempotency key: the new one or an older one. */
  readonly taskId: TaskId;
  readonly isNew: boolean;
}

/** A task in the hands of one worker. */
export interface Lease {
  readonly message: TaskMessage;
  /** Grows with every delivery of the task: whoever writes for it shows this number, and a smaller one is refused. */
  readonly fence: number;
  /** 1 for the first delivery. */
  readonly delivery: number;
  readonly worker: string;
  readonly untilMs: number;
}

export interface LeaseRequest {
  readonly worker: string;
  readonly leaseMs: number;
  /** At most so many tasks at once. */
  readonly max: number;
  readonly scope?: QueueScope;
}

/** How a tenant shares the workers with others; the wiring sets it from `tenant.yaml`. */
export interface TenantShare {
  /** Default 1. */
  readonly weight?: number;
  /** Leased at the same time; absent: no bound. */
  readonly maxLeased?: number;
}

/** Why a task is given back. */
export interface GiveBack {
  readonly delayMs: number;
  readonly reason: string;
  /** It is dead at once, whatever deliveries are left. */
  readonly isDead?: boolean;
  /** Nothing is wrong with it (its worker stops, its session is busy): this delivery does not count. */
  readonly isUncounted?: boolean;
}

export type TaskState = 'scheduled' | 'ready' | 'leased' | 'done' | 'dead';

export interface TaskFacts {
  readonly message: TaskMessage;
  readonly state: TaskState;
  readonly priority: number;
  readonly deliveries: number;
  readonly putMs: number;
  readonly notBeforeMs?: number;
  readonly leaseUntilMs?: number;
  readonly worker?: string;
  /** Why the last delivery did not end it. */
  readonly lastReason?: string;
}

export interface QueueCounts {
  readonly tenant: TenantId;
  readonly agentType: string;
  readonly scheduled: number;
  readonly ready: number;
  readonly leased: number;
  readonly dead: number;
  readonly isPaused: boolean;
  /** Milliseconds since the epoch at which the oldest ready task became ready. */
  readonly oldestReadyMs?: number;
}

/**
 * Work waiting to be done, durable, shared fairly between tenants.
 *
 * Contract, checked for every driver by queue/conformance.ts (each sentence is a test):
 * - a task that `put` resolved for survives the death of every process and of the machine;
 * - one idempotency key of one tenant is put once, however often and from however many processes; another tenant's same
 *   key is another task; the answer names the first task, also after it is done, until `forget` removed it;
 * - delivery is at least once: a task whose lease ran out, or whose holder died, is leased again with a larger fence;
 * - a task is leased to one worker at a time, and its fence only grows;
 * - `extend`, `ack` and `nak` reject with LeaseLostError when the lease ran out and was given on, or the fence is old;
 * - `ack` ends a task; a task acked twice with the same fence is acked once;
 * - `nak` gives it back after a delay; after `maxDeliveries` deliveries it is dead, with the last reason, not lost;
 * - a `nak` that does not count leaves the deliveries as they were before, and the fence grows all the same;
 * - a task that runs its worker to death every time becomes dead as well, for each delivery counts;
 * - a scheduled task is not leased before its time, and a million of them do not slow ready ones down;
 * - within a tenant, priority then order of arrival; between tenants, deficit round robin by weight: a tenant with any
 *   number of tasks delays another's next task by a bounded number of leases;
 * - a tenant never has more than `maxLeased` tasks leased;
 * - a consumer with a scope never gets a task outside it;
 * - a paused scope is not leased from, its tasks are kept, and pausing outlives a restart;
 * - `waitForWork` resolves soon after something within the scope becomes ready, also when another process put it;
 * - a clock that steps back neither ends a lease early nor freezes the queue; one that steps forward delays nothing.
 */
export interface Queue extends AsyncDisposable {
  readonly capabilities: { readonly hasPriority: boolean; readonly isShared: boolean };
  /** All or nothing. Resolves when durable. */
  put(tasks: readonly PutTask[]): Promise<readonly PutOutcome[]>;
  /** Empty when nothing within the scope is ready. */
  lease(request: LeaseRequest): Promise<readonly Lease[]>;
  /** Resolves with the lease's new end. @throws LeaseLostError */
  extend(lease: Lease, leaseMs: number): Promise<number>;
  /** @throws LeaseLostError */
  ack(lease: Lease): Promise<void>;
  /** @throws LeaseLostError */
  nak(lease: Lease, why: GiveBack): Promise<TaskState>;
  /** Until something may be ready, at most `maxMs`, or the signal fires. */
  waitForWork(scope: QueueScope, maxMs: number, signal: AbortSignal): Promise<void>;
  get(tenant: TenantId, task: TaskId): Promise<TaskFacts | undefined>;
  /** The task that was put with this idempotency key, whatever became of it, until `forget` removed it. */
  find(tenant: TenantId, idempotencyKey: string): Promise<TaskFacts | undefined>;
  /** By tenant and agent type. */
  counts(scope?: QueueScope): Promise<readonly QueueCounts[]>;
  /** Oldest first; `after` is the last id of the page before. */
  list(filter: QueueScope & { readonly state: TaskState; readonly after?: TaskId; readonly limit?: number }): Promise<readonly TaskFacts[]>;
  /** Dead tasks become ready with their deliveries counted anew. Resolves with how many. */
  requeue(scope: QueueScope & { readonly task?: TaskId }): Promise<number>;
  /** Removes dead, waiting or finished tasks; a leased one is left. Resolves with how many. */
  remove(scope: QueueScope & { readonly task?: TaskId; readonly state?: 'scheduled' | 'ready' | 'dead' | 'done' }): Promise<number>;
  pause(scope: QueueScope): Promise<void>;
  /** Lifts every pause within the scope; a wider one stays. */
  resume(scope: QueueScope): Promise<void>;
  /** The pauses that tasks within the scope may meet, also when there are none. */
  pauses(scope?: QueueScope): Promise<readonly QueueScope[]>;
  setShare(tenant: TenantId, share: TenantShare): Promise<void>;
  /** Removes finished tasks (and their idempotency keys) older than this. Resolves with how many. */
  forget(beforeMs: number): Promise<number>;
}
