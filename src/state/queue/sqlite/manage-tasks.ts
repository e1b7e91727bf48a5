import type { Moment, Operations, TaskScope } from './operations.ts';
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

/** At most a chunk: the caller goes on until it gets none. */
export function forgetTasks(store: Store, { beforeMs }: Operations['forget']['ask']): number {
  const rows = store.database.all(`SELECT seq FROM task INDEXED BY task_done WHERE state = 4 AND done_ms < ? LIMIT ${chunk}`, beforeMs) as {
    seq: number;
  }[];
  for (const { seq } of rows) erase(store, seq);
  return rows.length;
}

const countedStates: readonly (CountedState | undefined)[] = ['scheduled', 'scheduled', 'ready', 'leased', undefined, 'dead'];

function erase({ database }: Store, seq: number): void {
  database.run('DELETE FROM body WHERE seq = ?', seq);
  database.run('DELETE FROM task WHERE seq = ?', seq);
}

/** Tasks within the scope in one of the states, without those that a holder may still end. */
function find(store: Store, scope: TaskScope, wanted: readonly TaskState[]): readonly Row[] {
  const numbers = wanted.flatMap((state) => (state === 'scheduled' ? [states.scheduled, states.delayed] : [states[state]]));
  const isWanted = `state IN (${numbers.join(', ')})`;
  if (scope.task !== undefined) {
    const rows = store.database.all(
      `SELECT seq, lane, state FROM task JOIN lane ON lane.id = task.lane WHERE task.tenant = lane.tenant AND task.id = ?4 AND ${isWanted} AND ${inScope}`,
      ...scopeValues(scope),
      scope.task,
    );
    return rows as Row[];
  }
  const rows = store.database.all(
    `SELECT seq, lane, state FROM lane CROSS JOIN task INDEXED BY task_state ON task.lane = lane.id AND ${isWanted} WHERE ${inScope} LIMIT ${chunk}`,
    ...scopeValues(scope),
  );
  return rows as Row[];
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
