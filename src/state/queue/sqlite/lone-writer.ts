import type { Database } from '../../database.ts';
import type { ReplyBatch } from './batches.ts';
import type { Asked, Moment } from './operations.ts';
import { runRequest } from './run-batch.ts';
import { Store } from './store.ts';

/** More tasks, or more requests together, would hold up whatever else the thread does. */
const maxLeases = 16;
const maxTogether = 4;

/** In one turn of the event loop: callers that wait for nothing else would leave it no other turn. */
const maxInTurn = 32;

/** After so many the writer's thread has its turn, for only it brings the log into the file and begins it anew. */
const checkpointEvery = 500;

/**
 * Writes in the caller's thread what needs no sync, is short, and comes while nothing else is under way: on an idle
 * machine, waking the writer's thread and being woken by it takes four times as long as the transaction.
 *
 * Contract:
 * - nothing that must be synced is written here, and no fence is given out before the writer's thread of this process
 *   has synced a bound for them;
 * - it waits for nothing: neither the disk nor a lock;
 * - what it does not do has changed nothing, and is the writer's thread's to do or to report.
 */
export class LoneWriter {
  readonly #store: Store;
  #mayGiveFences = false;
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

  /** As one transaction; undefined when the writer's thread must do them. */
  run(asked: readonly Asked[], at: Moment): Omit<ReplyBatch, 'first'> | undefined {
    if (!this.#mayGiveFences || asked.length > maxTogether || !asked.every(isShort) || !this.#hasTurn()) return undefined;
    const store = this.#store;
    try {
      store.statement(waitForNoLock).get();
      store.hasReserved = true;
      const answers = store.transact(false, () => asked.map((each) => runRequest(store, { ...each, at })));
      return { answers, failures: new Map(), mayBeReady: store.mayBeReady, hasReserved: true };
    } catch {
      // silent-ok: it was undone; the writer's thread waits for the lock, syncs, takes its time, or says what is wrong.
      return undefined;
    } finally {
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
