import assert from 'node:assert/strict';
import * as z from 'zod/mini';
import type { Approval } from '../contracts/approval.ts';
import type { AgentId, ApprovalId, RunId, TenantId } from '../contracts/ids.ts';
import type { Database, SqlValue } from './database.ts';
import { whenRead } from '../contracts/when-read.ts';

export interface ApprovalFilter {
  /** Default `all`. `open` leaves out what has expired by `nowMs`. */
  readonly state?: 'open' | 'all';
  readonly tenant?: TenantId;
  readonly agent?: AgentId;
  readonly run?: RunId;
  /** Only those behind this one. */
  readonly after?: ApprovalId;
  /** Default 200. */
  readonly limit?: number;
}

export type AnswerOutcome =
  | { readonly outcome: 'answered'; readonly approval: Approval }
  /** Somebody answered before, or it expired: its `state` says which. */
  | { readonly outcome: 'not-open'; readonly approval: Approval }
  | { readonly outcome: 'unknown' };

/**
 * Questions to humans; of one tenant when opened for it: then a question of another is as unknown as one that never was.
 *
 * Contract: `insert` and `answer` are durable when they return; an approval is answered once, and of two answers at
 * the same time one wins; from `expiresMs` on it reads as expired and cannot be answered.
 */
export interface Approvals {
  insert(approval: Approval): void;
  get(id: ApprovalId, nowMs: number): Approval | undefined;
  /** Oldest first. */
  list(filter: ApprovalFilter, nowMs: number): Approval[];
  answer(id: ApprovalId, answer: { readonly state: 'approved' | 'denied'; readonly by: string; readonly nowMs: number }): AnswerOutcome;
}

const rowShape = whenRead(() =>
  z.object({
    id: z.string(),
    tenant: z.string(),
    agent: z.string(),
    run: z.string(),
    call_id: z.string(),
    request: z.string(),
    request_hash: z.string(),
    target_hash: z.nullable(z.string()),
    preview: z.nullable(z.string()),
    decision: z.string(),
    created_ms: z.int(),
    expires_ms: z.int(),
    state: z.enum(['open', 'approved', 'denied', 'expired']),
    answered_ms: z.nullable(z.int()),
    answered_by: z.nullable(z.string()),
  }),
);

export function openApprovals(database: Database, tenant?: TenantId): Approvals {
  const mine = tenant === undefined ? '' : ' AND tenant = ?';
  const owner = tenant === undefined ? [] : [tenant];
  const get = (id: ApprovalId, nowMs: number): Approval | undefined => {
    const row = database.get(`SELECT * FROM approvals WHERE id = ?${mine}`, id, ...owner);
    return row === undefined ? undefined : parseRow(row, nowMs);
  };
  return {
    insert: (approval) => {
      assert.ok(
        tenant === undefined || approval.tenant === tenant,
        `a question of tenant ${approval.tenant} is written as one of ${tenant}`,
      );
      insert(database, approval);
    },
    get,
    list: (filter, nowMs) =>
      tenant === undefined || filter.tenant === undefined || filter.tenant === tenant
        ? list(database, { ...filter, ...(tenant === undefined ? {} : { tenant }) }, nowMs)
        : [],
    answer: (id, { state, by, nowMs }) => {
      const { changes } = database.run(
        `UPDATE approvals SET state = ?, answered_by = ?, answered_ms = ? WHERE id = ? AND state = 'open' AND expires_ms > ?${mine}`,
        state,
        by,
        nowMs,
        id,
        nowMs,
        ...owner,
      );
      const approval = get(id, nowMs);
      if (approval === undefined) return { outcome: 'unknown' };
      return { outcome: changes === 1 ? 'answered' : 'not-open', approval };
    },
  };
}

function insert(database: Database, approval: Approval): void {
  const { id, tenant, agent, run, callId, request, requestHash, targetHash, preview, decision, createdMs, expiresMs, state } = approval;
  database.run(
    `INSERT INTO approvals (id, tenant, agent, run, call_id, request, request_hash, target_hash, preview, decision, created_ms, expires_ms, state, answered_ms, answered_by)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    id,
    tenant,
    agent,
    run,
    callId,
    JSON.stringify(request),
    requestHash,
    targetHash ?? null,
    preview ?? null,
    JSON.stringify(decision),
    createdMs,
    expiresMs,
    state,
    approval.answeredMs ?? null,
    approval.answeredBy ?? null,
  );
}

function list(database: Database, filter: ApprovalFilter, nowMs: number): Approval[] {
  const conditions = ['1 = 1'];
  const values: SqlValue[] = [];
  if (filter.state === 'open') {
    conditions.push(`state = 'open' AND expires_ms > ?`);
    values.push(nowMs);
  }
  for (const field of ['tenant', 'agent', 'run'] as const) {
    const value = filter[field];
    if (value === undefined) continue;
    conditions.push(`${field} = ?`);
    values.push(value);
  }
  if (filter.after !== undefined) {
    conditions.push('id > ?');
    values.push(filter.after);
  }
  const rows = database.all(
    `SELECT * FROM approvals WHERE ${conditions.join(' AND ')} ORDER BY id LIMIT ?`,
    ...values,
    filter.limit ?? 200,
  );
  return rows.map((row) => parseRow(row, nowMs));
}

/** An open row whose time is over reads as expired; the row itself needs no writer for that. */
function parseRow(raw: unknown, nowMs: number): Approval {
  const row = rowShape.parse(raw);
  return {
    id: row.id,
    tenant: row.tenant,
    agent: row.agent,
    run: row.run,
    callId: row.call_id,
    request: JSON.parse(row.request),
    requestHash: row.request_hash,
    ...(row.target_hash === null ? {} : { targetHash: row.target_hash }),
    ...(row.preview === null ? {} : { preview: row.preview }),
    decision: JSON.parse(row.decision),
    createdMs: row.created_ms,
    expiresMs: row.expires_ms,
    state: row.state === 'open' && row.expires_ms <= nowMs ? 'expired' : row.state,
    ...(row.answered_ms === null ? {} : { answeredMs: row.answered_ms }),
    ...(row.answered_by === null ? {} : { answeredBy: row.answered_by }),
  } as Approval;
}
