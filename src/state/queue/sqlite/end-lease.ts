import type { Held, Moment, Operations } from './operations.ts';
import type { TaskState } from '../../queue.ts';
import { makeReady } from './due-tasks.ts';
import { states } from './schema.ts';
import { hasRoom } from './scope.ts';
import type { Store } from './store.ts';

interface Row {
  readonly seq: number;
  readonly lane: number;
  readonly state: number;
  readonly fence: number;
  readonly worker: string | null;
  readonly deliveries: number;
  readonly max: number;
}

/** False when the holder lost its lease. A second time is as good as the first. */
export function ackTask(store: Store, held: Held, at: Moment): boolean {
  const row = find(store, held);
  if (row?.state === states.done) return row.fence === held.fence;
  if (row === undefined || !isHolder(row, held)) return false;
  store.statement(doneSql).run(at.wallMs, row.seq);
  store.move(row.lane, stateOf(row), undefined);
  return true;
}

const doneSql = 'UPDATE task SET state = 4, done_ms = ?, end_monotonic_ms = NULL WHERE seq = ?';

/** Whether the lease holds on. One that ran out is taken up again while nobody else got the task. */
export function extendLease(store: Store, held: Operations['extend']['ask'], at: Moment): boolean {
  const row = find(store, held);
  if (row === undefined || !isHolder(row, held)) return false;
  if (row.state === states.ready && !hasRoomFor(store, held.tenant)) return false;
  // The state is an index of its own: left alone when it stays.
  store.statement(row.state === states.leased ? extendSql : holdAgainSql).run(at.monotonicMs + held.leaseMs, row.seq);
  store.sawMonotonic(at.monotonicMs);
  if (row.state === states.ready) store.move(row.lane, 'ready', 'leased');
  return true;
}

const extendSql = 'UPDATE task SET end_monotonic_ms = ? WHERE seq = ?';
const holdAgainSql = 'UPDATE task SET state = 3, end_monotonic_ms = ? WHERE seq = ?';

/** A lease that ran out freed a place below the tenant's bound, which another task may have taken. */
function hasRoomFor(store: Store, tenant: string): boolean {
  store.writeCounts();
  return store.database.get(`SELECT 1 FROM tenant WHERE name = ? AND ${hasRoom}`, tenant) !== undefined;
}

/** The state the task is in then, or undefined when the holder lost its lease. */
export function nakTask(store: Store, held: Operations['nak']['ask'], at: Moment): TaskState | undefined {
  const row = find(store, held);
  if (row === undefined || !isHolder(row, held)) return undefined;
  const { delayMs, reason, isUncounted = false } = held.why;
  const isDead = held.why.isDead === true || (row.deliveries >= row.max && !isUncounted);
  if (isDead) store.requireSync();
  const uncounted = isUncounted ? 1 : 0;
  store.database.run('UPDATE task SET reason = ?, worker = NULL, deliveries = deliveries - ? WHERE seq = ?', reason, uncounted, row.seq);
  if (row.state === states.ready) store.move(row.lane, 'ready', 'leased');
  if (isDead) {
    store.database.run('UPDATE task SET state = 5, end_monotonic_ms = NULL WHERE seq = ?', row.seq);
    store.move(row.lane, 'leased', 'dead');
    return 'dead';
  }
  if (delayMs <= 0) {
    makeReady(store, { ...row, from: 'leased' }, at);
    return 'ready';
  }
  store.database.run('UPDATE task SET state = 1, end_monotonic_ms = ? WHERE seq = ?', at.monotonicMs + delayMs, row.seq);
  store.sawMonotonic(at.monotonicMs);
  store.move(row.lane, 'leased', 'scheduled');
  return 'scheduled';
}

function find(store: Store, { tenant, id }: Held): Row | undefined {
  const known = store.knownTenant(tenant);
  const row = known === undefined ? undefined : store.statement(findSql).get(known, id);
  if (row === undefined) return undefined;
  const [seq, lane, state, fence, worker, deliveries, max] = row as [number, number, number, number, string | null, number, number];
  return { seq, lane, state, fence, worker, deliveries, max };
}

const findSql = 'SELECT seq, lane, state, fence, worker, deliveries, max_deliveries FROM task WHERE tenant = ? AND id = ?';

/** Leased, or ready again because the lease ran out and not because its holder gave it back. */
function isHolder(row: Row, { fence }: Held): boolean {
  return row.fence === fence && row.worker !== null && (row.state === states.leased || row.state === states.ready);
}

function stateOf(row: Row): 'leased' | 'ready' {
  return row.state === states.leased ? 'leased' : 'ready';
}
