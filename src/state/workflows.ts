import * as z from 'zod/mini';
import type { RunId, TenantId } from '../contracts/ids.ts';
import type { RunItem, UntrustedPart } from '../contracts/run.ts';
import { workflowFile, type WorkflowFile } from '../contracts/workflow.ts';
import type { Database } from './database.ts';

/**
 * One passage through a workflow: `running → done | failed`. Its definition is the one of its start. While `run` is absent
 * nobody knows whether the run of step `step` was asked for.
 */
export interface WorkflowRow {
  readonly tenant: TenantId;
  readonly id: string;
  readonly name: string;
  readonly definition: WorkflowFile;
  readonly principal: RunItem['principal'];
  readonly door: RunItem['door'];
  /** What its starter said. */
  readonly input: string;
  readonly untrusted: readonly UntrustedPart[];
  readonly state: 'running' | 'done' | 'failed';
  /** From 0. */
  readonly step: number;
  /** Runs of the steps before, in order. */
  readonly done: readonly RunId[];
  /** The run of this step. */
  readonly run?: RunId;
  readonly reason: string;
  readonly createdMs: number;
  readonly endedMs?: number;
}

/** Contract: what a method wrote is durable when it returns; a passage with an id that is there is not begun again. */
export interface Workflows {
  /** False when there is one of this id. */
  add(row: WorkflowRow): boolean;
  get(tenant: TenantId, id: string): WorkflowRow | undefined;
  /** Newest first; only those behind `after`, the last of the page before. */
  list(tenant: TenantId, limit: number, after?: string): WorkflowRow[];
  /** Not ended, of one tenant. */
  countOpen(tenant: TenantId): number;
  /** Not ended, oldest first. */
  open(): WorkflowRow[];
  /** Only while its step is still that of `row`: of two processes one moves it. */
  move(
    row: WorkflowRow,
    to: Pick<WorkflowRow, 'state' | 'step' | 'done' | 'reason'> & Pick<Partial<WorkflowRow>, 'run' | 'endedMs'>,
  ): boolean;
}

const shape = z.object({
  tenant: z.string(),
  id: z.string(),
  name: z.string(),
  definition: z.string(),
  started_by: z.string(),
  state: z.enum(['running', 'done', 'failed']),
  step: z.int(),
  done: z.string(),
  run: z.nullable(z.string()),
  reason: z.string(),
  created_ms: z.int(),
  ended_ms: z.nullable(z.int()),
});

export function openWorkflows(database: Database): Workflows {
  const all = 'SELECT * FROM workflow_passages';
  return {
    add: (row) => add(database, row),
    get: (tenant, id) => {
      const row = database.get(`${all} WHERE tenant = ? AND id = ?`, tenant, id);
      return row === undefined ? undefined : parseRow(row);
    },
    list: (tenant, limit, after) => {
      const isBehind = `(created_ms, id) < (SELECT created_ms, id FROM workflow_passages WHERE tenant = ? AND id = ?)`;
      const [more, ...values] = after === undefined ? [''] : [`AND ${isBehind}`, tenant, after];
      return database
        .all(`${all} WHERE tenant = ? ${more} ORDER BY created_ms DESC, id DESC LIMIT ?`, tenant, ...values, limit)
        .map(parseRow);
    },
    countOpen: (tenant) => {
      const sql = `SELECT count(*) AS n FROM workflow_passages WHERE state = 'running' AND tenant = ?`;
      return (database.get(sql, tenant) as { n: number }).n;
    },
    open: () => database.all(`${all} WHERE state = 'running' ORDER BY created_ms`).map(parseRow),
    move: (row, to) => {
      const sql =
        'UPDATE workflow_passages SET state = ?, step = ?, done = ?, run = ?, reason = ?, ended_ms = ? WHERE tenant = ? AND id = ? AND state = ? AND step = ? AND run IS ?';
      const after = [to.state, to.step, JSON.stringify(to.done), to.run ?? null, to.reason, to.endedMs ?? null];
      return database.run(sql, ...after, row.tenant, row.id, row.state, row.step, row.run ?? null).changes === 1;
    },
  };
}

function add(database: Database, row: WorkflowRow): boolean {
  const { principal, door, input, untrusted } = row;
  const sql = `INSERT INTO workflow_passages (tenant, id, name, definition, started_by, state, step, done, reason, created_ms)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`;
  const startedBy = JSON.stringify({ principal, door, input, untrusted });
  const place = [row.state, row.step, JSON.stringify(row.done), row.reason, row.createdMs];
  return database.run(sql, row.tenant, row.id, row.name, JSON.stringify(row.definition), startedBy, ...place).changes === 1;
}

function parseRow(raw: unknown): WorkflowRow {
  const row = shape.parse(raw);
  const startedBy = JSON.parse(row.started_by) as Pick<WorkflowRow, 'principal' | 'door' | 'input' | 'untrusted'>;
  return {
    ...startedBy,
    tenant: row.tenant as TenantId,
    id: row.id,
    name: row.name,
    definition: workflowFile.parse(JSON.parse(row.definition)),
    state: row.state,
    step: row.step,
    done: JSON.parse(row.done) as RunId[],
    ...(row.run === null ? {} : { run: row.run as RunId }),
    reason: row.reason,
    createdMs: row.created_ms,
    ...(row.ended_ms === null ? {} : { endedMs: row.ended_ms }),
  };
}
