import assert from 'node:assert/strict';
import type { AgentId, RunId, SessionId, TaskId, TenantId } from '../contracts/ids.ts';
import type { RunItem, RunState } from '../contracts/run.ts';
import type { Database, SqlValue } from './database.ts';
import type { InGroup } from './database/group-commit.ts';
import { listRuns, wholeNumber } from './runs/list-runs.ts';
import { columnList, columns, marks, parseRow, parseState, valuesOf } from './runs/row-columns.ts';

/** One run as lists show it: an index of what its folder holds, and who works on it. */
export interface RunRow {
  readonly id: RunId;
  readonly session: SessionId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** The registered project and lane that it works for. */
  readonly project?: string;
  readonly lane?: string;
  readonly state: RunState;
  readonly door: RunItem['door'];
  readonly model: string;
  /** The start of the input, already redacted. */
  readonly inputPreview: string;
  /** One sentence: why it is in this state; may be empty. */
  readonly reason: string;
  readonly createdMs: number;
  readonly startedMs?: number;
  readonly endedMs?: number;
  readonly turns: number;
  readonly toolCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  readonly costMicroUsd?: number;
  /** The ledger claim of the process that works on it. */
  readonly owner?: string;
  /** Grows whenever another holder takes the run over; what a holder writes bears its number. Absent: never leased. */
  readonly fence?: number;
  /** By whose lease the owner works, and which delivery. Absent: for a command, which no lease pushes aside. */
  readonly task?: TaskId;
  readonly taskFence?: number;
}

/** Who works on a run. */
export type RunHolder = Pick<RunRow, 'owner' | 'fence' | 'task' | 'taskFence'>;

/** Fields to change. `null` empties a field that may be absent. */
export type RunPatch = Partial<Pick<RunRow, 'state' | 'reason' | 'model' | 'turns' | 'toolCalls' | 'inputTokens' | 'outputTokens'>> & {
  readonly startedMs?: number | null;
  readonly endedMs?: number | null;
  readonly costMicroUsd?: number | null;
  readonly owner?: string | null;
  readonly task?: TaskId | null;
  readonly taskFence?: number | null;
};

/** The little that a run asks of the others of its session. */
export type SessionRun = Pick<RunRow, 'id' | 'state' | 'owner'>;

export interface RunFilter {
  readonly tenant?: TenantId;
  readonly agent?: AgentId;
  readonly state?: RunState;
  readonly session?: SessionId;
  /** Only runs older than this one: the last id of the page before. */
  readonly before?: RunId;
  /** Default 50. */
  readonly limit?: number;
}

/**
 * The table of runs; of one tenant when it was opened for it: then a run of another is as unknown as one that never was.
 *
 * Contract: `insert` is durable when it returns, and `add` when it resolves; `update` and `takeOver` survive a crash of the process, but a power
 * loss may undo the last of them, for the run's journal and ledger hold the truth.
 */
export interface Runs {
  insert(row: RunRow): void;
  /** The same without holding up the process; many at once share one sync. The row is there at once. */
  add(row: RunRow): Promise<void>;
  /**
   * Lists an admitted run, and as the last one of its session, which may be new. False when the run has a row already, which is left as it is.
   * As safe as `update`: the queue holds the run.
   */
  accept(row: RunRow): boolean;
  /** False when there is no such run. */
  update(id: RunId, patch: RunPatch): boolean;
  get(id: RunId): RunRow | undefined;
  /** What `get` says of its state, for a third of the cost. */
  stateOf(id: RunId): RunState | undefined;
  /** Newest first. */
  list(filter?: RunFilter): RunRow[];
  latest(filter?: RunFilter): RunRow | undefined;
  /** The last runs of a session, newest first: what a run must know of those before it. */
  ofSession(session: SessionId, limit: number): SessionRun[];
  /** Makes `to` the holder, with what else it says, if owner and fence are still those of `from`: of two that try, one gets true. */
  takeOver(id: RunId, from: RunHolder, to: RunHolder & RunPatch): boolean;
  /** The last word of a run's holder. Makes its session again if a power loss undid it. False when owner and fence are others by now: then nothing is changed. */
  settle(id: RunId, holder: RunHolder, patch: RunPatch): boolean;
  /** Whether owner and fence are still these. */
  isHeldBy(id: RunId, holder: RunHolder): boolean;
  /** Runs of the lane that were asked for since then. */
  countInLane(lane: { readonly tenant: TenantId; readonly project: string; readonly lane: string; readonly sinceMs: number }): number;
  remove(id: RunId): boolean;
  /** For what many runs do at the same time: `accept`, `takeOver` or `settle` of this turn in one transaction. */
  readonly inGroup: InGroup;
  /** Inserts the row, or replaces all of it: for rows that are rebuilt from files. */
  put(row: RunRow): void;
}

export function openRuns(database: Database, tenant?: TenantId): Runs {
  const scope = scopeOf(tenant);
  // Put together once: a statement is found by its text.
  const sql = {
    get: `SELECT ${columnList} FROM runs WHERE id = ?${scope.sql}`,
    stateOf: `SELECT state, id FROM runs WHERE id = ?${scope.sql}`,
    isHeldBy: `SELECT 1 FROM runs WHERE id = ? AND owner IS ? AND fence IS ?${scope.sql}`,
    insert: `INSERT INTO runs (${columnList}) VALUES (${marks})`,
    accept: `INSERT OR IGNORE INTO runs (${columnList}) VALUES (${marks})`,
    put: `INSERT OR REPLACE INTO runs (${columnList}) VALUES (${marks})`,
  };
  const owned = (row: RunRow): SqlValue[] => {
    assert.ok(tenant === undefined || row.tenant === tenant, `a run of tenant ${row.tenant} is written as one of ${tenant}`);
    return valuesOf(row);
  };
  const list = (filter: RunFilter): RunRow[] =>
    tenant === undefined || filter.tenant === undefined || filter.tenant === tenant
      ? listRuns(database, { ...filter, ...(tenant === undefined ? {} : { tenant }) })
      : [];
  return {
    add: async (row) => {
      database.relaxed(() => database.run(sql.insert, ...owned(row)));
      await database.settle();
    },
    insert: (row) => void database.run(sql.insert, ...owned(row)),
    accept: (row) => accept(database, row, () => database.run(sql.accept, ...owned(row)).changes === 1),
    put: (row) => void database.relaxed(() => database.run(sql.put, ...owned(row))),
    update: (id, patch) => updateRun(database, { id, patch, scope }),
    get: (id) => parseRow(database.statement(sql.get).get(id, ...scope.values)),
    stateOf: (id) => parseState(database.statement(sql.stateOf).get(id, ...scope.values)),
    list: (filter = {}) => list(filter),
    latest: (filter = {}) => list({ ...filter, limit: 1 })[0],
    ofSession: (session, limit) => ofSession(database, { session, limit, scope }),
    takeOver: (id, from, to) => database.relaxed(() => changeHeld(database, { id, holder: from, change: { ...to, ...allOf(to) }, scope })),
    settle: (id, holder, change) => settle(database, { id, holder, change, scope }),
    isHeldBy: (id, { owner = null, fence = null }) => database.statement(sql.isHeldBy).get(id, owner, fence, ...scope.values) !== undefined,
    countInLane: (lane) => countInLane(database, lane, scope),
    inGroup: database.inGroup,
    remove: (id) => database.run(`DELETE FROM runs WHERE id = ?${scope.sql}`, id, ...scope.values).changes === 1,
  };
}

interface Scope {
  readonly sql: string;
  readonly values: readonly SqlValue[];
}

function scopeOf(tenant: TenantId | undefined): Scope {
  return tenant === undefined ? { sql: '', values: [] } : { sql: ' AND tenant = ?', values: [tenant] };
}

function ofSession(
  database: Database,
  { session, limit, scope }: { readonly session: SessionId; readonly limit: number; readonly scope: Scope },
): SessionRun[] {
  const sql = `SELECT id, state, owner FROM runs WHERE session = ?${scope.sql.replace('tenant', '+tenant')} ORDER BY id DESC LIMIT ${wholeNumber(limit)}`;
  const rows = database.statement(sql).all(session, ...scope.values) as [RunId, RunState, string | null][];
  return rows.map(([id, state, owner]) => (owner === null ? { id, state } : { id, state, owner }));
}

function countInLane(database: Database, { tenant, project, lane, sinceMs }: Parameters<Runs['countInLane']>[0], scope: Scope): number {
  const sql = `SELECT count(*) AS n FROM runs WHERE project = ? AND lane = ? AND tenant = ? AND created_ms > ?${scope.sql}`;
  return (database.get(sql, project, lane, tenant, sinceMs, ...scope.values) as { n: number }).n;
}

type AskedItem = Pick<RunItem, 'runId' | 'sessionId' | 'tenant' | 'agent' | 'door' | 'project' | 'lane' | 'model' | 'input'>;

/** A run that was accepted and that nobody has begun: admission makes this row, or the worker that finds none. */
export function acceptedRow(item: AskedItem, nowMs: number): RunRow {
  const { runId: id, sessionId: session, tenant, agent, door, project, lane } = item;
  return {
    id,
    session,
    tenant,
    agent,
    ...(project === undefined ? {} : { project }),
    ...(lane === undefined ? {} : { lane }),
    state: 'accepted',
    door,
    model: item.model ?? '',
    inputPreview: item.input.slice(0, 200),
    reason: '',
    createdMs: nowMs,
    turns: 0,
    toolCalls: 0,
    inputTokens: 0,
    outputTokens: 0,
  };
}

/** In one transaction, so that neither is there without the other. */
function accept(database: Database, { id, session, tenant, agent, createdMs }: RunRow, insert: () => boolean): boolean {
  const sql = `INSERT INTO sessions (id, tenant, agent, created_ms, last_run) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET last_run = excluded.last_run`;
  return database.relaxed(() =>
    database.transact(() => {
      const isNew = insert();
      if (isNew) database.run(sql, session, tenant, agent, createdMs, id);
      return isNew;
    }),
  );
}

interface Update {
  readonly id: RunId;
  readonly patch: RunPatch;
  readonly scope: Scope;
}

function updateRun(database: Database, { id, patch, scope }: Update): boolean {
  const { sets, values } = setsOf(patch);
  if (sets === '') return database.get(`SELECT 1 FROM runs WHERE id = ?${scope.sql}`, id, ...scope.values) !== undefined;
  return database.relaxed(
    () => database.run(`UPDATE runs SET ${sets} WHERE id = ?${scope.sql}`, ...values, id, ...scope.values).changes === 1,
  );
}

type Nullable<T> = { readonly [K in keyof T]?: T[K] | null };

interface HeldChange {
  readonly id: RunId;
  /** As it must be before. */
  readonly holder: RunHolder;
  readonly change: Nullable<RunPatch & Pick<RunRow, 'fence'>>;
  readonly scope: Scope;
}

function changeHeld(database: Database, { id, holder, change, scope }: HeldChange): boolean {
  const { sets, values } = setsOf(change);
  const sql = `UPDATE runs SET ${sets} WHERE id = ? AND owner IS ? AND fence IS ?${scope.sql}`;
  return database.run(sql, ...values, id, holder.owner ?? null, holder.fence ?? null, ...scope.values).changes === 1;
}

/** What a holder leaves open is nobody's, and not the one's before. */
function allOf({ owner = null, fence = null, task = null, taskFence = null }: Nullable<RunHolder>): Nullable<RunHolder> {
  return { owner, fence, task, taskFence };
}

function settle(database: Database, held: HeldChange): boolean {
  // A power loss may have undone the session or its last run. One that was asked for later stays: ids sort by time.
  const sql = `INSERT INTO sessions (id, tenant, agent, created_ms, last_run)
    SELECT session, tenant, agent, created_ms, id FROM runs WHERE id = ?
    ON CONFLICT (id) DO UPDATE SET last_run = excluded.last_run WHERE last_run IS NULL OR last_run < excluded.last_run`;
  return database.relaxed(() =>
    database.transact(() => {
      const isHeld = changeHeld(database, held);
      if (isHeld) database.run(sql, held.id);
      return isHeld;
    }),
  );
}

function setsOf(change: HeldChange['change']): { readonly sets: string; readonly values: readonly SqlValue[] } {
  const changes = Object.entries(change).filter(([, value]) => value !== undefined) as [keyof RunRow, SqlValue][];
  return { sets: changes.map(([field]) => `${columns[field]} = ?`).join(', '), values: changes.map(([, value]) => value) };
}
