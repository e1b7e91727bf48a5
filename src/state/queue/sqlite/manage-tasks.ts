import type { Forgotten, Moment, Operations, TaskScope } from './operations.ts';
import type { TaskState } from '../../queue.ts';
import { chunk } from './operations.ts';
import { makeReady } from './due-tasks.ts';
import { inScope, scopeValues } from './scope.ts';
import { states } from './schema.ts';
import type { CountedState, Store } from './store.ts';

interface Row {
  readonly seq: number;
  readonly lane: number;
  readonly state: number;
}

/** At most a chunk: the caller goes on until it gets none. */
export function requeueTasks(store: Store, { scope }: Operations['requeue']['ask'], at: Moment): number {
  const rows = find(store, scope, ['dead']);
  for (const row of rows) {
    store.database.run('UPDATE task SET deliveries = 0 WHERE seq = ?', row.seq);
    makeReady(store, { ...row, from: 'dead' }, at);
  }
  return rows.length;
}

/** At most a chunk: the caller goes on until it gets none. */
export function removeTasks(store: Store, { scope, state }: Operations['remove']['ask']): number {
  const rows = find(store, scope, state === undefined ? ['scheduled', 'ready', 'done', 'dead'] : [state]);
  for (const row of rows) {
    erase(store, row.seq);
    const counted = countedStates[row.state];
    if (counted !== undefined) store.move(row.lane, counted, undefined);
  }
  return rows.length;
}

/**
 * Looks through the rows from `after` on, a window at a time, in the order in which they were put: nothing was done before it
 * was put, so the first row that is too young is the end.
 */
export function forgetTasks(store: Store, { beforeMs, after }: Operations['forget']['ask']): Forgotten {
  const rows = store.database.all(
    `SELECT seq, put_ms AS putMs, state = 4 AND done_ms < ? AS isOld FROM task WHERE seq > ? ORDER BY seq LIMIT ${chunk * 4}`,
    beforeMs,
    after,
  ) as { seq: number; putMs: number; isOld: number }[];
  const old = rows.filter(({ isOld }) => isOld === 1);
  for (const { seq } of old) erase(store, seq);
  const last = rows.at(-1);
  const isEnd = rows.length < chunk * 4 || last === undefined || last.putMs >= beforeMs + maxStepMs;
  return { count: old.length, next: isEnd ? undefined : last.seq };
}

/** The clock may have been set back between two puts by so much. */
const maxStepMs = 86_400_000;

const countedStates: readonly (CountedState | undefined)[] = ['scheduled', 'scheduled', 'ready', 'leased', undefined, 'dead'];

function erase({ database }: Store, seq: number): void {
  database.run('DELETE FROM body WHERE seq = ?', seq);
  database.run('DELETE FROM task WHERE seq = ?', seq);
}

type Removable = Exclude<TaskState, 'leased'>;

/** A partial index is taken only by a query that repeats its condition. */
const places: Readonly<Record<Removable, string>> = {
  scheduled: 'task INDEXED BY task_rest ON task.lane = lane.id AND state IN (0, 1) AND state IN (0, 1, 4, 5)',
  ready: 'task INDEXED BY task_ready ON task.lane = lane.id AND state = 2',
  done: 'task INDEXED BY task_rest ON task.lane = lane.id AND state = 4 AND state IN (0, 1, 4, 5)',
  dead: 'task INDEXED BY task_rest ON task.lane = lane.id AND state = 5 AND state IN (0, 1, 4, 5)',
};

/** Tasks within the scope in one of the states. */
function find(store: Store, scope: TaskScope, wanted: readonly Removable[]): readonly Row[] {
  if (scope.task !== undefined) return findOne(store, { ...scope, task: scope.task }, wanted);
  const rows: Row[] = [];
  for (const state of wanted) {
    const found = store.database.all(
      `SELECT seq, lane, state FROM lane CROSS JOIN ${places[state]} WHERE ${inScope} LIMIT ${chunk}`,
      ...scopeValues(scope),
    );
    rows.push(...(found as Row[]));
  }
  return rows.slice(0, chunk);
}

function findOne(store: Store, scope: TaskScope & { readonly task: string }, wanted: readonly Removable[]): readonly Row[] {
  const rows = store.database.all(
    `SELECT seq, task.lane, state FROM tenant CROSS JOIN task INDEXED BY task_id ON task.tenant = tenant.id AND task.id = ?4
       CROSS JOIN lane ON lane.id = task.lane WHERE ${inScope}`,
    ...scopeValues(scope),
    scope.task,
  ) as Row[];
  const numbers = new Set(
    wanted.flatMap((state): number[] => (state === 'scheduled' ? [states.scheduled, states.delayed] : [states[state]])),
  );
  return rows.filter((row) => numbers.has(row.state));
}

/** A wider pause stays when a narrower one is lifted; what is lifted is every pause within the scope. */
export function pauseScope(store: Store, { scope, isPaused }: Operations['pause']['ask']): null {
  const { database } = store;
  const [tenant, agentType, shard] = [scope.tenant ?? '', scope.agentType ?? '', scope.shard ?? -1];
  if (isPaused) {
    database.run('INSERT INTO pause VALUES (?, ?, ?) ON CONFLICT DO NOTHING', tenant, agentType, shard);
  } else {
    database.run(`DELETE FROM pause WHERE ?1 IN ('', tenant) AND ?2 IN ('', agent_type) AND ?3 IN (-1, shard)`, tenant, agentType, shard);
    store.mayBeReady = true;
  }
  database.run(
    `UPDATE lane SET is_paused = EXISTS (SELECT 1 FROM pause
       WHERE pause.tenant IN ('', (SELECT name FROM tenant WHERE id = lane.tenant))
         AND pause.agent_type IN ('', lane.agent_type) AND pause.shard IN (-1, lane.shard))`,
  );
  return null;
}

export function setShare(store: Store, { tenant, share }: Operations['share']['ask']): null {
  store.database.run(
    'UPDATE tenant SET weight = ?, max_leased = ? WHERE id = ?',
    share.weight ?? 1,
    share.maxLeased ?? null,
    store.tenant(tenant),
  );
  store.mayBeReady = true;
  return null;
}
