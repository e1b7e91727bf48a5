import * as z from 'zod/mini';
import type { RunId, TenantId } from '../contracts/ids.ts';
import { notifyTarget, type NotifyTarget } from '../contracts/schedule.ts';
import type { Database } from './database.ts';

/** The output of a run on its way to where a job wants it. */
export interface DeliveryRow {
  /** The same however often it is made or sent: receivers drop what they know. */
  readonly id: string;
  readonly tenant: TenantId;
  readonly job: string;
  readonly slotMs: number;
  readonly run: RunId;
  readonly target: NotifyTarget;
  readonly state: 'waiting' | 'delivered' | 'failed';
  /** Begun ones. */
  readonly attempts: number;
  readonly nextMs: number;
  /** Why the last attempt failed; may be empty. */
  readonly reason: string;
  readonly createdMs: number;
}

/**
 * Contract: `add` and `settle` are durable when they return; adding a delivery that is there changes nothing; `take`
 * gives a delivery to one process, and to another when that one has not settled it in time.
 */
export interface Deliveries {
  add(row: DeliveryRow): void;
  /** Due ones, as they were; each counts one attempt more, and is not due again before `untilMs`. */
  take(nowMs: number, untilMs: number, limit: number): DeliveryRow[];
  settle(id: string, outcome: { readonly state: DeliveryRow['state']; readonly reason: string; readonly nextMs: number }): void;
  ofRun(run: RunId): DeliveryRow | undefined;
}

const shape = z.object({
  id: z.string(),
  tenant: z.string(),
  job: z.string(),
  slot_ms: z.int(),
  run: z.string(),
  target: z.string(),
  state: z.enum(['waiting', 'delivered', 'failed']),
  attempts: z.int(),
  next_ms: z.int(),
  reason: z.string(),
  created_ms: z.int(),
});

export function openDeliveries(database: Database): Deliveries {
  return {
    add: (row) =>
      void database.run(
        `INSERT INTO schedule_deliveries (id, tenant, job, slot_ms, run, target, state, attempts, next_ms, reason, created_ms)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
        row.id,
        row.tenant,
        row.job,
        row.slotMs,
        row.run,
        JSON.stringify(row.target),
        row.state,
        row.attempts,
        row.nextMs,
        row.reason,
        row.createdMs,
      ),
    take: (nowMs, untilMs, limit) => take(database, { nowMs, untilMs, limit }),
    settle: (id, { state, reason, nextMs }) =>
      void database.run('UPDATE schedule_deliveries SET state = ?, reason = ?, next_ms = ? WHERE id = ?', state, reason, nextMs, id),
    ofRun: (run) => {
      const row = database.get('SELECT * FROM schedule_deliveries WHERE run = ?', run);
      return row === undefined ? undefined : parseRow(row);
    },
  };
}

interface Take {
  readonly nowMs: number;
  readonly untilMs: number;
  readonly limit: number;
}

function take(database: Database, { nowMs, untilMs, limit }: Take): DeliveryRow[] {
  const isDue = `state = 'waiting' AND next_ms <= ?`;
  if (database.get(`SELECT 1 FROM schedule_deliveries WHERE ${isDue} LIMIT 1`, nowMs) === undefined) return [];
  return database.transact(() => {
    const rows = database.all(`SELECT * FROM schedule_deliveries WHERE ${isDue} ORDER BY next_ms LIMIT ?`, nowMs, limit).map(parseRow);
    for (const { id } of rows)
      database.run('UPDATE schedule_deliveries SET attempts = attempts + 1, next_ms = ? WHERE id = ?', untilMs, id);
    return rows;
  });
}

function parseRow(raw: unknown): DeliveryRow {
  const row = shape.parse(raw);
  return {
    id: row.id,
    tenant: row.tenant as TenantId,
    job: row.job,
    slotMs: row.slot_ms,
    run: row.run as RunId,
    target: notifyTarget.parse(JSON.parse(row.target)),
    state: row.state,
    attempts: row.attempts,
    nextMs: row.next_ms,
    reason: row.reason,
    createdMs: row.created_ms,
  };
}
