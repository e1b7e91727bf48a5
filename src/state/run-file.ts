import * as z from 'zod/mini';
import { FixRequestError, reasonOf } from '../contracts/errors.ts';
import { parseAgentId, parseRunId, parseSessionId, parseTenantId } from '../contracts/ids.ts';
import { runStates } from '../contracts/run.ts';
import type { RunRow } from './runs.ts';
import { whenRead } from '../contracts/when-read.ts';

const count = z.int().check(z.nonnegative());

/** `run.json`: the row of a run beside its files, so that the index can be made again. Other fields may stand there too. */
const shape = whenRead(() =>
  z.object({
    id: z.string(),
    session: z.string(),
    tenant: z.string(),
    agent: z.string(),
    project: z.optional(z.string()),
    lane: z.optional(z.string()),
    state: z.enum(runStates),
    door: z.enum(['cli', 'http', 'cron', 'chat', 'loop', 'swarm']),
    model: z.string(),
    inputPreview: z.string(),
    reason: z.string(),
    createdMs: count,
    startedMs: z.optional(count),
    endedMs: z.optional(count),
    turns: count,
    toolCalls: count,
    inputTokens: count,
    outputTokens: count,
    costMicroUsd: z.optional(count),
    owner: z.optional(z.string()),
  }),
);

/** The text of `run.json`; `more` adds fields that only people and programs outside read. */
export function renderRunFile(row: RunRow, more: Readonly<Record<string, unknown>> = {}): string {
  return `${JSON.stringify({ ...more, ...row }, undefined, 2)}\n`;
}

/**
 * The row that a `run.json` holds.
 * @throws FixRequestError when it is no such file.
 */
export function parseRunFile(text: string, file: string): RunRow {
  try {
    const row = shape.parse(JSON.parse(text));
    return {
      ...row,
      id: parseRunId(row.id),
      session: parseSessionId(row.session),
      tenant: parseTenantId(row.tenant),
      agent: parseAgentId(row.agent),
    } as RunRow;
  } catch (error) {
    throw new FixRequestError(
      'state.bad-run-file',
      `${file} is not the record of a run: ${whyBad(error)}. Restore it from a backup, or remove the run's folder.`,
      { cause: error },
    );
  }
}

/** Not `instanceof`: naming zod's error class would load all of zod, its languages included, with every command. */
function whyBad(error: unknown): string {
  const issues = (error as { readonly issues?: readonly { readonly path: readonly PropertyKey[] }[] }).issues;
  return issues === undefined
    ? reasonOf(error)
    : `these fields are missing or wrong: ${issues.map(({ path }) => path.join('.')).join(', ')}`;
}
