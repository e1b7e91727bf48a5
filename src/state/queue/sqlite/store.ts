import assert from 'node:assert/strict';
import type { Database, Statement } from '../../database.ts';
import type { Moment, NewTask } from './operations.ts';

export type CountedState = 'scheduled' | 'ready' | 'leased' | 'dead';

type Counts = Record<CountedState, number>;

/** What a lease must know first: whether anything is due, and whose turn it is in the round of its scope. */
export interface Round {
  readonly isDue: boolean;
  readonly tenant: number;
  readonly credit: number;
}

const lookSql = `SELECT EXISTS (SELECT 1 FROM task INDEXED BY task_scheduled WHERE state = 0 AND due_ms <= ?1)
    OR EXISTS (SELECT 1 FROM task INDEXED BY task_ends WHERE state IN (1, 3) AND end_monotonic_ms <= ?2),
  fences.first, fences.second, round.first, round.second
  FROM note AS fences LEFT JOIN note AS round ON round.name = ?3 WHERE fences.name = 'fences'`;
const readFencesSql = "SELECT first, second FROM note WHERE name = 'fences'";
const writeFencesSql = "UPDATE note SET first = ?, second = ? WHERE name = 'fences'";
const countSql = `UPDATE lane SET scheduled = scheduled + ?, ready = ready + ?, leased = leased + ?, dead = dead + ? WHERE id = ?
  RETURNING ready > 0, is_waiting, (SELECT max_leased FROM tenant WHERE tenant.id = lane.tenant)`;
const waitingSql = 'UPDATE lane SET is_waiting = ? WHERE id = ?';

/** Fences that one sync makes safe to give out. */
const fenceBlock = 1000;

/** The time is not written for less. */
const monotonicStepMs = 500;

interface Fences {
  next: number;
  /** Below it fences are safe to give out. */
  durable: number;
}

function laneKey(tenant: number, agentType: string, shard: number): string {
  return `${tenant} ${agentType} ${shard}`;
}

/** Thrown inside a transaction that needs a sync and was begun without: it is begun again with one. */
export class NeedsSync extends Error {
  override readonly name = 'NeedsSync';
}

/** Thrown inside a transaction that must be brief, and would not be. */
export class NeedsTime extends Error {
  override readonly name = 'NeedsTime';
}

/**
 * What the functions of one writer share: the connection, ids that never change, and counts that a transaction
 * collects and writes once.
 */
export class Store {
  readonly database: Database;
  /** Whether the transaction makes a consumer's next lease differ. */
  mayBeReady = false;
  /** Whether this process has put a synced bound between the fences of those before it and its own. */
  hasReserved = false;
  readonly #tenants = new Map<string, number>();
  readonly #lanes = new Map<string, number>();
  readonly #counts = new Map<number, Counts>();
  /** As the transaction found them, and as it leaves them. */
  #foundFences: Fences | undefined;
  #fences: Fences | undefined;
  #monotonicMs = 0;
  #writtenMonotonicMs = 0;
  #isSynced = false;
  readonly #isBrief: boolean;

  constructor(database: Database, { isBrief = false }: { readonly isBrief?: boolean } = {}) {
    this.database = database;
    this.#isBrief = isBrief;
  }

  /** Runs `work` as one transaction, with a sync at its end or not. @throws NeedsSync when it should have had one. */
  transact<T>(isSynced: boolean, work: () => T): T {
    const hadReserved = this.hasReserved;
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
      this.hasReserved = hadReserved;
      throw error;
    } finally {
      this.#foundFences = undefined;
    }
  }

  /** Rows as arrays; its text is a constant. */
  statement(sql: string): Statement {
    return this.database.statement(sql);
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
    const key = laneKey(tenant, agentType, shard);
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

  /** Whether a put to the lane adds nothing but its tasks. */
  knowsLane({ tenant, agentType, shard }: Pick<NewTask, 'tenant' | 'agentType' | 'shard'>): boolean {
    const known = this.#tenants.get(tenant);
    return known !== undefined && this.#lanes.has(laneKey(known, agentType, shard));
  }

  /** Says that a task of the lane left one state for another; `undefined` is a state that nobody counts. */
  move(lane: number, from: CountedState | undefined, to: CountedState | undefined): void {
    let counts = this.#counts.get(lane);
    if (counts === undefined) this.#counts.set(lane, (counts = { scheduled: 0, ready: 0, leased: 0, dead: 0 }));
    if (from !== undefined) counts[from] -= 1;
    if (to !== undefined) counts[to] += 1;
    if (to === 'ready') this.mayBeReady = true;
  }

  /** Writes what `move` collected; before anything reads the counters. */
  writeCounts(): void {
    if (this.#counts.size === 0) return;
    for (const [lane, { scheduled, ready, leased, dead }] of this.#counts) {
      const row = this.statement(countSql).get(scheduled, ready, leased, dead, lane);
      const [hasReady, isWaiting, maxLeased] = row as [number, number, number | null];
      if (hasReady !== isWaiting) this.statement(waitingSql).run(hasReady, lane);
      // Room below a bound is something to find.
      if (maxLeased !== null && leased < 0) this.mayBeReady = true;
    }
    this.#counts.clear();
  }

  /** In one statement, with the fences, because every lease needs both. */
  look(round: string, at: Moment): Round {
    const row = this.statement(lookSql).get(at.wallMs, at.monotonicMs, round);
    const [isDue, next, durable, tenant, credit] = row as [number, number, number, number | null, number | null];
    this.#foundFences ??= { next, durable };
    return { isDue: isDue === 1, tenant: tenant ?? 0, credit: credit ?? 0 };
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

  #readFences(): Fences {
    const { next, durable } = this.#foundFences ?? this.#findFences();
    if (this.hasReserved) return { next, durable };
    this.requireSync();
    this.hasReserved = true;
    return { next: durable, durable: durable + fenceBlock };
  }

  #findFences(): Fences {
    const [next, durable] = this.statement(readFencesSql).get() as [number, number];
    return { next, durable };
  }

  /** For what a power cut must not take: begins the transaction anew when it was begun without a sync. */
  requireSync(): void {
    if (!this.#isSynced) throw new NeedsSync();
  }

  /** For what may go through many rows. */
  requireTime(): void {
    if (this.#isBrief) throw new NeedsTime();
  }

  /** Remembers the monotonic time, by which a restart of the machine is noticed. */
  sawMonotonic(ms: number): void {
    if (ms > this.#writtenMonotonicMs + monotonicStepMs) this.#monotonicMs = ms;
  }

  #finish(): void {
    this.writeCounts();
    if (this.#fences !== undefined) {
      this.statement(writeFencesSql).run(this.#fences.next, this.#fences.durable);
    }
    if (this.#monotonicMs > 0) {
      this.#writtenMonotonicMs = this.#monotonicMs;
      this.database.run("UPDATE note SET first = ?1 WHERE name = 'monotonic' AND first < ?1", this.#monotonicMs);
    }
    this.#fences = undefined;
    this.#monotonicMs = 0;
  }
}
