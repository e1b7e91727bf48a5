import assert from 'node:assert/strict';
import { runStates, type RunState } from '../../contracts/run.ts';
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

const states: ReadonlySet<unknown> = new Set(runStates);
const doors: ReadonlySet<unknown> = new Set<RunRow['door']>(['cli', 'http', 'cron', 'chat', 'loop', 'swarm']);
const [stateAt, doorAt] = [fields.indexOf('state'), fields.indexOf('door')];

export function valuesOf(row: RunRow): SqlValue[] {
  return fields.map((field) => row[field] ?? null);
}

/**
 * A row as `columnList` selects it. The table is STRICT, so every column holds its type; words that this version does not
 * know are refused.
 */
export function parseRow(values: unknown): RunRow | undefined {
  if (values === undefined) return undefined;
  const row: Record<string, unknown> = {};
  const found = values as readonly SqlValue[];
  for (const [index, field] of fields.entries()) if (found[index] !== null) row[field] = found[index];
  refuseUnknown(found[stateAt], row['id']);
  assert.ok(doors.has(found[doorAt]), `the run ${String(row['id'])} came by the unknown door ${JSON.stringify(found[doorAt])}`);
  return row as unknown as RunRow;
}

/** The state alone, as `SELECT state, id` gives it. */
export function parseState(values: unknown): RunState | undefined {
  if (values === undefined) return undefined;
  const [state, id] = values as readonly SqlValue[];
  refuseUnknown(state, id);
  return state as RunState;
}

function refuseUnknown(state: unknown, id: unknown): void {
  assert.ok(states.has(state), `the run ${String(id)} has the unknown state ${JSON.stringify(state)}`);
}
