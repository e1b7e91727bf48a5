import type { TaskId, TenantId } from '../../../contracts/ids.ts';
import type { TaskMessage } from '../../../contracts/task.ts';
import type { Database } from '../../database.ts';
import type { Moment } from './operations.ts';
import type { QueueCounts, QueueScope, TaskFacts, TaskState } from '../../queue.ts';
import { hasRoom, inScope, scopeValues } from './scope.ts';
import { states } from './schema.ts';

const columns = `task.seq, state, priority, deliveries, put_ms, due_ms, end_monotonic_ms, worker, reason,
  (SELECT message FROM body WHERE body.seq = task.seq) AS message`;

interface Row {
  readonly seq: number;
  readonly state: number;
  readonly priority: number;
  readonly deliveries: number;
  readonly put_ms: number;
  readonly due_ms: number | null;
  readonly end_monotonic_ms: number | null;
  readonly worker: string | null;
  readonly reason: string | null;
  readonly message: string;
}

const stateNames: readonly TaskState[] = ['scheduled', 'scheduled', 'ready', 'leased', 'done', 'dead'];

type TaskName = { readonly tenant: TenantId } & ({ readonly task: TaskId } | { readonly key: string });

export function readTask(database: Database, who: TaskName, now: Moment): TaskFacts | undefined {
  const row = database.get(
    `SELECT ${columns} FROM task WHERE tenant = (SELECT id FROM tenant WHERE name = ?) AND ${'task' in who ? 'id' : 'key'} = ?`,
    who.tenant,
    'task' in who ? who.task : who.key,
  ) as Row | undefined;
  return row === undefined ? undefined : facts(row, now);
}

export interface ListFilter extends QueueScope {
  readonly state: TaskState;
  readonly after?: TaskId;
  readonly limit?: number;
}

const maxPage = 1000;

/** Index by index, each in its order and no further than the page; then the oldest of all of them. */
export function listTasks(database: Database, filter: ListFilter, now: Moment): TaskFacts[] {
  const limit = Math.max(1, Math.min(filter.limit ?? 50, maxPage));
  const lanes = database.all(`SELECT id FROM lane WHERE ${inScope}`, ...scopeValues(filter)) as { id: number }[];
  const after = filter.after === undefined ? { seq: 0, turn: 0 } : placeOf(database, filter);
  const page = { limit, after, lanes: lanes.map(({ id }) => id) };
  const found = filter.state === 'ready' ? firstReady(database, page) : firstOf(database, filter.state, page);
  return found
    .toSorted((one, other) => one.turn - other.turn || one.seq - other.seq)
    .slice(0, limit)
    .map(({ seq }) => facts(database.get(`SELECT ${columns} FROM task WHERE seq = ?`, seq) as Row, now));
}

interface Place {
  readonly seq: number;
  readonly turn: number;
}

interface Page {
  readonly limit: number;
  readonly after: Place;
  readonly lanes: readonly number[];
}

/** By turn: the oldest ready task is the one that is ready for longest. */
function firstReady(database: Database, { limit, after, lanes }: Page): Place[] {
  const sql = `SELECT seq, turn FROM task INDEXED BY task_ready
    WHERE lane = ?1 AND state = 2 AND priority = ?2 AND (turn, seq) > (?3, ?4) ORDER BY turn, seq LIMIT ?5`;
  return lanes.flatMap((lane) =>
    priorities.flatMap((priority) => database.all(sql, lane, priority, after.turn, after.seq, limit) as Place[]),
  );
}

const priorities = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9];

/** By seq: when they were put. There are never many leased ones. */
function firstOf(database: Database, state: Exclude<TaskState, 'ready'>, { limit, after, lanes }: Page): Place[] {
  if (state === 'leased') {
    const inLanes = new Set(lanes);
    const leased = database.all('SELECT seq, seq AS turn, lane FROM task INDEXED BY task_ends WHERE state IN (1, 3) AND state = 3');
    return (leased as (Place & { lane: number })[]).filter(({ seq, lane }) => seq > after.seq && inLanes.has(lane));
  }
  const numbers = state === 'scheduled' ? [states.scheduled, states.delayed] : [states[state]];
  const sql =
    'SELECT seq, seq AS turn FROM task INDEXED BY task_rest WHERE lane = ? AND state = ? AND state IN (0, 1, 4, 5) AND seq > ? ORDER BY seq LIMIT ?';
  return lanes.flatMap((lane) => numbers.flatMap((number) => database.all(sql, lane, number, after.seq, limit) as Place[]));
}

/** A task that is gone ends the listing: nothing says what came after it. */
function placeOf(database: Database, { tenant, after }: ListFilter): Place {
  const row = database.get(
    'SELECT max(seq) AS seq, turn FROM task WHERE id = ?2 AND (?1 IS NULL OR tenant = (SELECT id FROM tenant WHERE name = ?1))',
    tenant ?? null,
    after ?? null,
  ) as { seq: number | null; turn: number | null };
  return { seq: row.seq ?? Number.MAX_SAFE_INTEGER, turn: row.turn ?? Number.MAX_SAFE_INTEGER };
}

function facts(row: Row, now: Moment): TaskFacts {
  const endMs = row.end_monotonic_ms === null ? undefined : Math.round(now.wallMs + row.end_monotonic_ms - now.monotonicMs);
  const notBeforeMs = row.state === states.delayed ? endMs : (row.due_ms ?? undefined);
  return {
    message: JSON.parse(row.message) as TaskMessage,
    state: stateNames[row.state] ?? 'dead',
    priority: row.priority,
    deliveries: row.deliveries,
    putMs: row.put_ms,
    ...(notBeforeMs !== undefined && { notBeforeMs }),
    ...(row.state === states.leased && endMs !== undefined && { leaseUntilMs: endMs }),
    ...(row.state === states.leased && row.worker !== null && { worker: row.worker }),
    ...(row.reason !== null && { lastReason: row.reason }),
  };
}

interface CountRow {
  readonly tenant: TenantId;
  readonly agentType: string;
  readonly scheduled: number;
  readonly ready: number;
  readonly leased: number;
  readonly dead: number;
  readonly isPaused: number;
  readonly oldestReadyMs: number | null;
}

/** From the lanes' counters: the number of tasks does not matter. The oldest ready task is the first of a priority. */
export function readCounts(database: Database, scope: QueueScope): QueueCounts[] {
  const rows = database.all(
    `SELECT tenant.name AS tenant, lane.agent_type AS agentType, sum(scheduled) AS scheduled, sum(ready) AS ready,
       sum(lane.leased) AS leased, sum(dead) AS dead, min(is_paused) AS isPaused, min(CASE WHEN ready > 0 THEN (
         WITH RECURSIVE level (n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM level WHERE n < 9)
         SELECT min((SELECT ready_ms FROM task INDEXED BY task_ready WHERE task.lane = lane.id AND state = 2 AND priority = n ORDER BY turn LIMIT 1))
         FROM level) END) AS oldestReadyMs
     FROM lane JOIN tenant ON tenant.id = lane.tenant WHERE ${inScope} GROUP BY tenant.name, lane.agent_type ORDER BY tenant.name, lane.agent_type`,
    ...scopeValues(scope),
  ) as CountRow[];
  return rows.map((row): QueueCounts => {
    const counts = {
      tenant: row.tenant,
      agentType: row.agentType,
      scheduled: row.scheduled,
      ready: row.ready,
      leased: row.leased,
      dead: row.dead,
      isPaused: row.isPaused === 1,
    };
    return row.oldestReadyMs === null ? counts : Object.assign(counts, { oldestReadyMs: row.oldestReadyMs });
  });
}

/** Those that are wider than the scope, the same, or within it. */
export function readPauses(database: Database, scope: QueueScope): QueueScope[] {
  const rows = database.all(
    `SELECT tenant, agent_type AS agentType, shard FROM pause
     WHERE (?1 IS NULL OR tenant IN ('', ?1)) AND (?2 IS NULL OR agent_type IN ('', ?2)) AND (?3 IS NULL OR shard IN (-1, ?3))
     ORDER BY tenant, agent_type, shard`,
    ...scopeValues(scope),
  ) as { tenant: TenantId; agentType: string; shard: number }[];
  return rows.map(({ tenant, agentType, shard }): QueueScope => {
    const given = Object.entries({ tenant, agentType, shard }).filter(([, value]) => value !== '' && value !== -1);
    return Object.fromEntries(given);
  });
}

const isDueSql = `EXISTS (SELECT 1 FROM task INDEXED BY task_scheduled WHERE state = 0 AND due_ms <= ?4)
  OR EXISTS (SELECT 1 FROM task INDEXED BY task_ends WHERE state IN (1, 3) AND end_monotonic_ms <= ?5)`;

const mayLeaseSql = `SELECT ${isDueSql} OR EXISTS (
  SELECT 1 FROM lane INDEXED BY lane_waiting CROSS JOIN tenant ON tenant.id = lane.tenant
  WHERE is_waiting = 1 AND is_paused = 0 AND ${inScope} AND ${hasRoom})`;

const isAnyDueSql = `SELECT ${isDueSql}`;

/** Whether `lease` may find something: what is ready within the scope, or due for anyone. */
export function mayLease(database: Database, scope: QueueScope, now: Moment): boolean {
  const [may] = database.statement(mayLeaseSql).get(...scopeValues(scope), now.wallMs, now.monotonicMs) as [number];
  return may === 1;
}

export function isAnyDue(database: Database, now: Moment): boolean {
  const [isDue] = database.statement(isAnyDueSql).get(null, null, null, now.wallMs, now.monotonicMs) as [number];
  return isDue === 1;
}

/** Changes when another connection, of this process or another, committed something. */
export function dataVersion(database: Database): number {
  const [version] = database.statement('PRAGMA data_version').get() as [number];
  return version;
}
