import * as z from 'zod/mini';
import { runStates } from '../../contracts/run.ts';
import { whenRead } from '../../contracts/when-read.ts';
import type { SqlValue } from '../database.ts';
import type { RunRow } from '../runs.ts';

export const columns: Readonly<Record<keyof RunRow, string>> = {
  id: 'id',
  session: 'session',
  tenant: 'tenant',
  agent: 'agent',
  project: 'project',
  lane: 'lane',
  state: 'state',
  door: 'door',
  model: 'model',
  inputPreview: 'input_preview',
  reason: 'reason',
  createdMs: 'created_ms',
  startedMs: 'started_ms',
  endedMs: 'ended_ms',
  turns: 'turns',
  toolCalls: 'tool_calls',
  inputTokens: 'input_tokens',
  outputTokens: 'output_tokens',
  costMicroUsd: 'cost_micro_usd',
  owner: 'owner',
  fence: 'fence',
  task: 'task',
  taskFence: 'task_fence',
};
const fields: readonly (keyof RunRow)[] = Object.keys(columns) as (keyof RunRow)[];
export const columnList: string = Object.values(columns).join(', ');
export const marks: string = fields.map(() => '?').join(', ');

const maybeInt = z.nullable(z.int());
const rowShape = whenRead(() =>
  z.object({
    id: z.string(),
    session: z.string(),
    tenant: z.string(),
    agent: z.string(),
    project: z.nullable(z.string()),
    lane: z.nullable(z.string()),
    state: z.enum(runStates),
    door: z.enum(['cli', 'http', 'cron', 'chat', 'loop', 'swarm']),
    model: z.string(),
    input_preview: z.string(),
    reason: z.string(),
    created_ms: z.int(),
    started_ms: maybeInt,
    ended_ms: maybeInt,
    turns: z.int(),
    tool_calls: z.int(),
    input_tokens: z.int(),
    output_tokens: z.int(),
    cost_micro_usd: maybeInt,
    owner: z.nullable(z.string()),
    fence: maybeInt,
    task: z.nullable(z.string()),
    task_fence: maybeInt,
  }),
);

export function valuesOf(row: RunRow): SqlValue[] {
  return fields.map((field) => row[field] ?? null);
}

export function parseRow(row: unknown): RunRow | undefined {
  if (row === undefined) return undefined;
  const parsed = rowShape.parse(row) as Record<string, unknown>;
  const entries = fields.map((field) => [field, parsed[columns[field]]] as const).filter(([, value]) => value !== null);
  return Object.fromEntries(entries) as unknown as RunRow;
}
