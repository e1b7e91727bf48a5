import type { Database } from '../../database.ts';
import type { ReplyBatch } from './batches.ts';
import type { Asked, Moment } from './operations.ts';
import { runRequest } from './run-batch.ts';
import { Store } from './store.ts';

/** More tasks, or more requests together, would hold up whatever else the thread does. */
const maxLeases = 16;
const maxTogether = 4;

/** A sync that takes longer is the writer's thread's: the caller's has others to serve. */
const fastSyncMs = 2;
/** Characters of a task that is put here. */
const maxMessage = 65_536;

/** In one turn of the event loop: callers that wait for nothing else would leave it no other turn. */
const maxInTurn = 32;

/** After so many the writer's thread has its turn, for only it brings the log into the file and begins it anew. */
const checkpointEvery = 500;

/**
 * Writes in the caller's thread what is short and comes while nothing else is under way: on an idle machine, waking the
 * writer's thread and being woken by it takes four times as long as the transaction.
 *
 * Contract:
 * - of what must be synced only a lone put is written here, with its sync, and only while the last sync, wherever it was
 *   done, was fast: one slow sync gives all puts to the writer's thread until a sync of that is fast again;
 * - no fence is given out before the writer's thread of this process has synced a bound for them;
 * - it waits for nothing else, no lock either;
 * - what it does not do has changed nothing, and is the writer's thread's to do or to report.
 */
export class LoneWriter {
  readonly #store: Store;
  #mayGiveFences = false;
  #syncMs = Infinity;
  #inTurn = 0;
  #done = 0;

  /** The connection that the caller's thread reads with: it knows the pages already. */
  constructor(database: Database) {
    this.#store = new Store(database, { isBrief: true });
    database.run('PRAGMA wal_autocheckpoint = 0');
  }

  /** The writer's thread has synced a bound for the fences of this process. */
  allowFences(): void {
    this.#mayGiveFences = true;
  }

  /** How long a transaction with a sync took last. */
  noteSync(ms: number): void {
    this.#syncMs = ms;
  }

  /** As one transaction; undefined when the writer's thread must do them. */
  run(asked: readonly Asked[], at: Moment): Omit<ReplyBatch, 'first'> | undefined {
    if (!this.#mayGiveFences || asked.length > maxTogether) return undefined;
    const isPut = isLonePut(asked);
    if (isPut ? this.#syncMs > fastSyncMs : !asked.every(isShort)) return undefined;
    if (!this.#hasTurn()) return undefined;
    const store = this.#store;
    const beganMs = performance.now();
    try {
      store.statement(waitForNoLock).get();
      store.hasReserved = true;
      const answers = store.transact(isPut, () => asked.map((each) => runRequest(store, { ...each, at })));
      return { answers, failures: new Map(), mayBeReady: store.mayBeReady, hasReserved: true };
    } catch {
      // silent-ok: it was undone; the writer's thread waits for the lock, syncs, takes its time, or says what is wrong.
      return undefined;
    } finally {
      if (isPut) this.noteSync(performance.now() - beganMs);
      store.statement(waitForLocks).get();
    }
  }

  #hasTurn(): boolean {
    if (this.#inTurn >= maxInTurn) return false;
    if (this.#inTurn === 0) setImmediate(() => (this.#inTurn = 0));
    this.#inTurn += 1;
    this.#done += 1;
    return this.#done % checkpointEvery !== 0;
  }
}

const waitForNoLock = 'PRAGMA busy_timeout = 0';
const waitForLocks = 'PRAGMA busy_timeout = 5000';

function isShort({ kind, ask }: Asked): boolean {
  return kind === 'ack' || kind === 'extend' || kind === 'nak' || (kind === 'lease' && ask.max <= maxLeases);
}

function isLonePut([first, ...others]: readonly Asked[]): boolean {
  if (first?.kind !== 'put' || others.length > 0) return false;
  const [task, ...more] = first.ask.tasks;
  return task !== undefined && more.length === 0 && task.message.length <= maxMessage;
}
