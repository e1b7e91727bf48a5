import assert from 'node:assert/strict';
import { monotonicMs as kernelMs } from '../../contracts/clock.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { LeaseLostError } from '../../contracts/lease-lost-error.ts';
import type { TaskId, TenantId } from '../../contracts/ids.ts';
import type { TaskMessage } from '../../contracts/task.ts';
import type { Database } from '../database.ts';
import type { QueueOptions } from '../open-queue.ts';
import type {
  GiveBack,
  Lease,
  LeaseRequest,
  PutOutcome,
  PutTask,
  Queue,
  QueueCounts,
  QueueScope,
  TaskFacts,
  TaskState,
  TenantShare,
} from '../queue.ts';
import { checkScope, checkShare, checkTask } from './sqlite/check-task.ts';
import { endLeasesOfOldBoot, openQueueFile } from './sqlite/open-store.ts';
import { chunk, type Forgotten, type Held, type Moment } from './sqlite/operations.ts';
import { dataVersion, isAnyDue, listTasks, mayLease, readCounts, readPauses, readTask } from './sqlite/read-tasks.ts';
import { Waiters } from './sqlite/waiters.ts';
import { Writer } from './sqlite/writer.ts';

const maxPut = 10_000;
const maxReason = 2000;

/**
 * The queue in one SQLite file, for any number of processes of one machine.
 *
 * Each process that writes has one thread for it, in which what arrives together is one transaction; what is short and
 * needs no sync, or a fast one, is written by the caller's thread instead while nothing is under way there. Reads go through a connection
 * of the caller's thread and never wait for writers. Leases and delays are measured by the machine's
 * monotonic clock, so that setting the calendar's clock neither ends nor prolongs them.
 */
export function openSqliteQueue(
  { file, clock, monotonicMs = kernelMs, maxBytes, isFedElsewhere }: QueueOptions,
  { isNeverLone }: SqliteTestOptions = {},
): Queue {
  const database = openQueueFile(file, maxBytes);
  endLeasesOfOldBoot(database, monotonicMs());
  return new SqliteQueue({
    file,
    maxBytes,
    isFedElsewhere,
    isNeverLone,
    database,
    now: () => ({ wallMs: Math.floor(clock.now()), monotonicMs: monotonicMs() }),
  });
}

interface SqliteTestOptions {
  /** Everything is the writer's thread's to do. */
  readonly isNeverLone?: boolean | undefined;
}

interface SqliteQueueContext extends SqliteTestOptions {
  readonly file: string;
  readonly maxBytes: number | undefined;
  readonly isFedElsewhere: boolean | undefined;
  readonly database: Database;
  readonly now: () => Moment;
}

class SqliteQueue implements Queue {
  readonly capabilities = { hasPriority: true, isShared: true };
  readonly #database: Database;
  readonly #now: () => Moment;
  readonly #writer: Writer;
  readonly #waiters: Waiters;
  #closed: Promise<void> | undefined;

  constructor({ file, maxBytes, isFedElsewhere, isNeverLone, database, now }: SqliteQueueContext) {
    this.#database = database;
    this.#now = now;
    let version = dataVersion(database);
    this.#waiters = new Waiters({
      isBrisk: isFedElsewhere === true,
      mayLease: (scope) => mayLease(database, scope, now()),
      hasNews: () => {
        const before = version;
        version = dataVersion(database);
        return version !== before || isAnyDue(database, now());
      },
    });
    this.#writer = new Writer({
      file,
      maxBytes,
      now,
      database: isNeverLone === true ? undefined : database,
      onReady: () => this.#waiters.check(),
    });
  }

  async put(tasks: readonly PutTask[]): Promise<readonly PutOutcome[]> {
    if (tasks.length > maxPut) {
      throw new FixRequestError(
        'state.task-refused',
        `${tasks.length} tasks cannot be put at once: ${maxPut} is the most. Put them in parts.`,
      );
    }
    if (tasks.length === 0) return [];
    const answer = await this.#writer.send('put', { tasks: tasks.map(checkTask) });
    if ('outcomes' in answer) return answer.outcomes.map(({ id, isNew }) => ({ taskId: id as TaskId, isNew }));
    throw new FixRequestError(
      'state.task-id-taken',
      `Task ${answer.takenId} cannot be put: the tenant has another task with this id, under another idempotency key. Make a new id.`,
    );
  }

  async lease({ worker, leaseMs, max, scope = {} }: LeaseRequest): Promise<readonly Lease[]> {
    assertTime('leaseMs', leaseMs);
    checkScope(scope);
    if (max <= 0) return [];
    const untilMs = this.#now().wallMs + leaseMs;
    const given = await this.#writer.send('lease', { worker, leaseMs, max, scope });
    return given.map(({ message, fence, delivery }) => ({ message: JSON.parse(message) as TaskMessage, fence, delivery, worker, untilMs }));
  }

  async extend(lease: Lease, leaseMs: number): Promise<number> {
    assertTime('leaseMs', leaseMs);
    const untilMs = this.#now().wallMs + leaseMs;
    if (!(await this.#writer.send('extend', { ...heldBy(lease), leaseMs }))) throw lost(lease);
    return untilMs;
  }

  async ack(lease: Lease): Promise<void> {
    if (!(await this.#writer.send('ack', heldBy(lease)))) throw lost(lease);
  }

  async nak(lease: Lease, why: GiveBack): Promise<TaskState> {
    assertTime('delayMs', why.delayMs);
    const state = await this.#writer.send('nak', { ...heldBy(lease), why: { ...why, reason: why.reason.slice(0, maxReason) } });
    if (state === undefined) throw lost(lease);
    return state;
  }

  async waitForWork(scope: QueueScope, maxMs: number, signal: AbortSignal): Promise<void> {
    checkScope(scope);
    await this.#waiters.wait(scope, maxMs, signal);
  }

  async get(tenant: TenantId, task: TaskId): Promise<TaskFacts | undefined> {
    return readTask(this.#database, { tenant, task }, this.#now());
  }

  async find(tenant: TenantId, idempotencyKey: string): Promise<TaskFacts | undefined> {
    return readTask(this.#database, { tenant, key: idempotencyKey }, this.#now());
  }

  async counts(scope: QueueScope = {}): Promise<readonly QueueCounts[]> {
    checkScope(scope);
    return readCounts(this.#database, scope);
  }

  async list(filter: Parameters<Queue['list']>[0]): Promise<readonly TaskFacts[]> {
    checkScope(filter);
    return listTasks(this.#database, filter, this.#now());
  }

  async requeue(scope: Parameters<Queue['requeue']>[0]): Promise<number> {
    checkScope(scope);
    return inChunks(() => this.#writer.send('requeue', { scope }));
  }

  async remove({ state, ...scope }: Parameters<Queue['remove']>[0]): Promise<number> {
    checkScope(scope);
    return inChunks(() => this.#writer.send('remove', { scope, state }));
  }

  async pause(scope: QueueScope): Promise<void> {
    checkScope(scope);
    await this.#writer.send('pause', { scope, isPaused: true });
  }

  async resume(scope: QueueScope): Promise<void> {
    checkScope(scope);
    await this.#writer.send('pause', { scope, isPaused: false });
  }

  async pauses(scope: QueueScope = {}): Promise<readonly QueueScope[]> {
    checkScope(scope);
    return readPauses(this.#database, scope);
  }

  async setShare(tenant: TenantId, share: TenantShare): Promise<void> {
    checkScope({ tenant });
    checkShare(share);
    await this.#writer.send('share', { tenant, share });
  }

  async forget(beforeMs: number): Promise<number> {
    let all = 0;
    for (let after: number | undefined = 0; after !== undefined;) {
      const { count, next }: Forgotten = await this.#writer.send('forget', { beforeMs, after });
      all += count;
      after = next;
    }
    return all;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  async #close(): Promise<void> {
    this.#waiters[Symbol.dispose]();
    await this.#writer[Symbol.asyncDispose]();
    this.#database[Symbol.dispose]();
  }
}

/** What is no number would be a lease without an end. */
function assertTime(field: string, ms: number): void {
  assert(Number.isFinite(ms) && ms >= 0, `${field} is ${ms}`);
}

function heldBy({ message, fence }: Lease): Held {
  return { tenant: message.tenant_id, id: message.task_id, fence };
}

function lost({ message }: Lease): LeaseLostError {
  return new LeaseLostError(message.task_id);
}

/** A transaction for each chunk, so that others have their turn between. */
async function inChunks(next: () => Promise<number>): Promise<number> {
  let all = 0;
  for (;;) {
    const count = await next();
    all += count;
    if (count < chunk) return all;
  }
}
