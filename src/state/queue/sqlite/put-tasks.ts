import type { Moment, NewTask, Operations, PutAnswer } from './operations.ts';
import { states } from './schema.ts';
import type { Store } from './store.ts';

/** Puts all of them or, when an id is another task's, none. */
export function putTasks(store: Store, { tasks }: Operations['put']['ask'], at: Moment): PutAnswer {
  const outcomes: { id: string; isNew: boolean }[] = [];
  const { database } = store;
  const [first] = tasks;
  // A lone task of a known lane is stored or is not: nothing would need to be undone.
  const mustUndo = tasks.length > 1 || first === undefined || !store.knowsLane(first);
  if (mustUndo) database.run('SAVEPOINT put');
  const moves: { lane: number; to: 'ready' | 'scheduled' }[] = [];
  for (const task of tasks) {
    const tenant = store.tenant(task.tenant);
    const lane = store.lane(tenant, task.agentType, task.shard);
    const to = task.notBeforeMs !== undefined && task.notBeforeMs > at.wallMs ? 'scheduled' : 'ready';
    const isNew = insertTask(store, task, { tenant, lane, to, at });
    const id = isNew ? task.id : idOfKey(store, tenant, task.key);
    if (id === undefined) {
      if (mustUndo) undo(store);
      return { takenId: task.id };
    }
    outcomes.push({ id, isNew });
    if (isNew) moves.push({ lane, to });
  }
  if (mustUndo) database.run('RELEASE put');
  for (const { lane, to } of moves) store.move(lane, undefined, to);
  return { outcomes };
}

function undo(store: Store): void {
  store.database.run('ROLLBACK TO put');
  store.database.run('RELEASE put');
  store.forgetIds();
}

interface Place {
  readonly tenant: number;
  readonly lane: number;
  readonly to: 'ready' | 'scheduled';
  readonly at: Moment;
}

/** False when the tenant has the key or the id already. */
function insertTask(store: Store, task: NewTask, { tenant, lane, to, at }: Place): boolean {
  const { changes } = store.database.run(
    insertSql,
    tenant,
    lane,
    task.id,
    task.key,
    states[to],
    task.priority,
    task.maxDeliveries,
    at.wallMs,
    task.notBeforeMs ?? null,
    to === 'ready' ? at.wallMs : null,
  );
  if (changes === 0) return false;
  store.statement(insertBodySql).run(task.message);
  return true;
}

/** A place behind every task that is there; of two with the same turn the older task goes first. */
export const nextTurn = '(SELECT coalesce(max(seq), 0) + 1 FROM task)';

const insertSql = `INSERT INTO task (tenant, lane, id, key, state, priority, turn, max_deliveries, put_ms, due_ms, ready_ms)
  VALUES (?1, ?2, ?3, ?4, ?5, ?6, ${nextTurn}, ?7, ?8, ?9, ?10) ON CONFLICT DO NOTHING`;
const insertBodySql = 'INSERT INTO body (seq, message) VALUES (last_insert_rowid(), ?)';

function idOfKey({ database }: Store, tenant: number, key: string): string | undefined {
  const row = database.get('SELECT id FROM task WHERE tenant = ? AND key = ?', tenant, key) as { id: string } | undefined;
  return row?.id;
}
