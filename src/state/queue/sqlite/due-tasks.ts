import type { Moment } from './operations.ts';
import { chunk } from './operations.ts';
import { nextTurn } from './put-tasks.ts';
import { states } from './schema.ts';
import type { Store } from './store.ts';

/**
 * Makes ready what is due: scheduled tasks by the calendar, given-back ones after their delay, and tasks whose lease ran
 * out, which keep their place. One that was delivered often enough is dead.
 */
export function wakeDueTasks(store: Store, at: Moment): void {
  wakeScheduled(store, at);
  endDelaysAndLeases(store, at);
}

function wakeScheduled(store: Store, at: Moment): void {
  const due = store.database.all(
    `SELECT seq, lane FROM task INDEXED BY task_scheduled WHERE state = 0 AND due_ms <= ? ORDER BY due_ms LIMIT ${chunk}`,
    at.wallMs,
  ) as { seq: number; lane: number }[];
  for (const { seq, lane } of due) makeReady(store, { seq, lane, from: 'scheduled' }, at);
}

interface Ended {
  readonly seq: number;
  readonly lane: number;
  readonly state: number;
  readonly deliveries: number;
  readonly max: number;
  readonly worker: string | null;
}

function endDelaysAndLeases(store: Store, at: Moment): void {
  const ended = store.database.all(
    `SELECT seq, lane, state, deliveries, max_deliveries AS max, worker FROM task INDEXED BY task_ends
     WHERE state IN (1, 3) AND end_monotonic_ms <= ? ORDER BY end_monotonic_ms LIMIT ${chunk}`,
    at.monotonicMs,
  ) as Ended[];
  for (const task of ended) {
    if (task.state === states.delayed) makeReady(store, { ...task, from: 'scheduled' }, at);
    else endLease(store, task);
  }
}

/** Its holder stays named: as long as nobody else got the task, it may still end it. */
function endLease(store: Store, { seq, lane, deliveries, max, worker }: Ended): void {
  const reason = `The lease of ${worker ?? 'its worker'} ran out.`;
  if (deliveries < max) {
    store.database.run('UPDATE task SET state = 2, end_monotonic_ms = NULL, reason = ? WHERE seq = ?', reason, seq);
    store.move(lane, 'leased', 'ready');
  } else {
    store.database.run('UPDATE task SET state = 5, end_monotonic_ms = NULL, worker = NULL, reason = ? WHERE seq = ?', reason, seq);
    store.move(lane, 'leased', 'dead');
  }
}

/** Puts a task behind all ready ones of its priority. */
export function makeReady(
  store: Store,
  { seq, lane, from }: { readonly seq: number; readonly lane: number; readonly from: 'scheduled' | 'leased' | 'dead' },
  at: Moment,
): void {
  store.database.run(
    `UPDATE task SET state = 2, turn = ${nextTurn}, ready_ms = ?, end_monotonic_ms = NULL, worker = NULL WHERE seq = ?`,
    at.wallMs,
    seq,
  );
  store.move(lane, from, 'ready');
}
