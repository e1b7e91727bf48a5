import assert from 'node:assert/strict';
import type { Database } from '../../database.ts';

export type CountedState = 'scheduled' | 'ready' | 'leased' | 'dead';

/** Fences that one sync makes safe to give out. */
const fenceBlock = 1000;

/** The time is not written for less. */
const monotonicStepMs = 500;

/** Thrown inside a transaction that needs a sync and was begun without: it is begun again with one. */
export class NeedsSync extends Error {
  override readonly name = 'NeedsSync';
}

/**
 * What the functions of one writer share: the connection, ids that never change, and counts that a transaction
 * collects and writes once.
 */
export class Store {
  readonly database: Database;
  /** Whether the transaction makes a consumer's next lease differ. */
  mayBeReady = false;
  readonly #tenants = new Map<string, number>();
  readonly #lanes = new Map<string, number>();
  readonly #counts = new Map<number, Map<CountedState, number>>();
  #fences: { next: number; durable: number } | undefined;
  #monotonicMs = 0;
  #writtenMonotonicMs = 0;
  #isSynced = false;
  #hasReserved = false;

  constructor(database: Database) {
    this.database = database;
  }

  /** Runs `work` as one transaction, with a sync at its end or not. @throws NeedsSync when it should have had one. */
  transact<T>(isSynced: boolean, work: () => T): T {
    this.#isSynced = isSynced;
    this.mayBeReady = false;
    const run = (): T => {
      const result = work();
      this.#finish();
      return result;
    };
    try {
      return isSynced ? this.database.transact(run) : this.database.relaxed(() => this.database.transact(run));
    } catch (error) {
      this.forgetIds();
      this.#counts.clear();
      this.#fences = undefined;
      this.#monotonicMs = 0;
      this.#hasReserved = false;
      throw error;
    }
  }

  /** After something was undone: tenants and lanes that it made are gone. */
  forgetIds(): void {
    this.#tenants.clear();
    this.#lanes.clear();
  }

  tenant(name: string): number {
    const known = this.#tenants.get(name) ?? this.knownTenant(name);
    if (known !== undefined) return known;
    this.database.run('INSERT INTO tenant (name) VALUES (?)', name);
    return this.knownTenant(name) ?? assert.fail('a tenant that was put has an id');
  }

  knownTenant(name: string): number | undefined {
    const cached = this.#tenants.get(name);
    if (cached !== undefined) return cached;
    const row = this.database.get('SELECT id FROM tenant WHERE name = ?', name) as { id: number } | undefined;
    if (row !== undefined) this.#tenants.set(name, row.id);
    return row?.id;
  }

  lane(tenant: number, agentType: string, shard: number): number {
    const key = `${tenant} ${agentType} ${shard}`;
    const cached = this.#lanes.get(key);
    if (cached !== undefined) return cached;
    this.database.run(
      `INSERT INTO lane (tenant, agent_type, shard, is_paused)
       SELECT ?1, ?2, ?3, EXISTS (SELECT 1 FROM pause WHERE pause.tenant IN ('', (SELECT name FROM tenant WHERE id = ?1))
         AND pause.agent_type IN ('', ?2) AND pause.shard IN (-1, ?3))
       ON CONFLICT DO NOTHING`,
      tenant,
      agentType,
      shard,
    );
    const row = this.database.get('SELECT id FROM lane WHERE tenant = ? AND agent_type = ? AND shard = ?', tenant, agentType, shard);
    const { id } = row as { id: number };
    this.#lanes.set(key, id);
    return id;
  }

  /** Says that a task of the lane left one state for another; `undefined` is a state that nobody counts. */
  move(lane: number, from: CountedState | undefined, to: CountedState | undefined): void {
    let counts = this.#counts.get(lane);
    if (counts === undefined) this.#counts.set(lane, (counts = new Map()));
    if (from !== undefined) counts.set(from, (counts.get(from) ?? 0) - 1);
    if (to !== undefined) counts.set(to, (counts.get(to) ?? 0) + 1);
    if (to === 'ready') this.mayBeReady = true;
  }

  /** Writes what `move` collected; before anything reads the counters. */
  writeCounts(): void {
    for (const [lane, counts] of this.#counts) {
      const by = (state: CountedState): number => counts.get(state) ?? 0;
      this.database.run(
        'UPDATE lane SET scheduled = scheduled + ?, ready = ready + ?, leased = leased + ?, dead = dead + ? WHERE id = ?',
        by('scheduled'),
        by('ready'),
        by('leased'),
        by('dead'),
        lane,
      );
      const row = this.database.get(
        'SELECT ready, is_waiting AS isWaiting, max_leased AS maxLeased FROM lane JOIN tenant ON tenant.id = lane.tenant WHERE lane.id = ?',
        lane,
      ) as { ready: number; isWaiting: number; maxLeased: number | null };
      const isWaiting = row.ready > 0 ? 1 : 0;
      if (isWaiting !== row.isWaiting) this.database.run('UPDATE lane SET is_waiting = ? WHERE id = ?', isWaiting, lane);
      // Room below a bound is something to find.
      if (row.maxLeased !== null && by('leased') < 0) this.mayBeReady = true;
    }
    this.#counts.clear();
  }

  /**
   * The next fence of the queue.
   *
   * Contract: larger than every fence that any process was ever given, also after a power cut that took the last
   * transactions: a fence is given out only below a bound that was synced before, and the first one that a process
   * gives out lies above the bound it found.
   */
  nextFence(): number {
    this.#fences ??= this.#readFences();
    if (this.#fences.next >= this.#fences.durable) {
      this.requireSync();
      this.#fences.durable = this.#fences.next + fenceBlock;
    }
    this.#fences.next += 1;
    return this.#fences.next - 1;
  }

  #readFences(): { next: number; durable: number } {
    const row = this.database.get("SELECT first AS next, second AS durable FROM note WHERE name = 'fences'") as {
      next: number;
      durable: number;
    };
    if (this.#hasReserved) return { ...row };
    this.requireSync();
    this.#hasReserved = true;
    return { next: row.durable, durable: row.durable + fenceBlock };
  }

  /** For what a power cut must not take: begins the transaction anew when it was begun without a sync. */
  requireSync(): void {
    if (!this.#isSynced) throw new NeedsSync();
  }

  /** Remembers the monotonic time, by which a restart of the machine is noticed. */
  sawMonotonic(ms: number): void {
    if (ms > this.#writtenMonotonicMs + monotonicStepMs) this.#monotonicMs = ms;
  }

  #finish(): void {
    this.writeCounts();
    if (this.#fences !== undefined) {
      const { next, durable } = this.#fences;
      this.database.run("UPDATE note SET first = ?, second = ? WHERE name = 'fences'", next, durable);
    }
    if (this.#monotonicMs > 0) {
      this.#writtenMonotonicMs = this.#monotonicMs;
      this.database.run("UPDATE note SET first = ?1 WHERE name = 'monotonic' AND first < ?1", this.#monotonicMs);
    }
    this.#fences = undefined;
    this.#monotonicMs = 0;
  }
}
