import fs from 'node:fs/promises';
import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import { sha256 } from '../../contracts/json.ts';
import { readJournal } from '../../state/journal.ts';
import { printResult, type CommandContext } from '../command.ts';
import { localUser } from '../run-options.ts';
import type { RunRow } from '../../state/runs.ts';
import type { OpenTools } from '../../worker/worker-context.ts';
import { agentOfRun, changesOf, type FileChange } from './runs-changes.ts';
import { findRun, liveState } from './find-run.ts';

/**
 * Puts back what a run changed. A file that somebody changed since the run is left alone and named; what is put back
 * stands in the ledger.
 */
export async function undoRun(context: CommandContext, id: string | undefined, isDryRun: boolean): Promise<void> {
  const { app, io } = context;
  const row = await findRun(context, id);
  if ((await liveState(context, row)) === 'running')
    throw new FixRequestError('cli.run-busy', `Run ${row.id} is at work. Stop it first: clawhold runs stop ${row.id}.`);
  const dir = (await app.home()).runDir(row.tenant, row.id);
  const entries = await readJournal(path.join(dir, 'journal.jsonl'));
  const accepted = entries.find((entry) => entry.kind === 'accepted');
  await using tools = await app.openTools(await agentOfRun(context, row, accepted?.item.workspace));
  const { restored, left } = await restoreAll(context, { row, dir, tools, isDryRun, changes: changesOf(entries) });
  const verb = isDryRun ? 'would be put back' : 'put back';
  const lines = [
    ...restored.map((target) => `${verb}: ${target}`),
    ...left.map(({ target, why }) => io.color.yellow(`left alone: ${target} (${why})`)),
  ];
  printResult(io, { run: row.id, restored, left, isDryRun }, lines.length === 0 ? 'This run changed no file.' : lines.join('\n'));
  if (left.length > 0) context.exit(1);
}

interface Undone {
  readonly run: string;
  readonly session: string;
  readonly agent: string;
  readonly target: string;
  readonly sha: string;
  readonly bytes: number;
}

async function recordUndo(context: CommandContext, undone: Undone): Promise<void> {
  const { run, session, agent, target, sha, bytes } = undone;
  const ledger = await context.app.ledger();
  await ledger.append({
    type: 'artifact.write',
    at: new Date().toISOString(),
    run,
    session,
    agent,
    path: `undo by ${localUser(context).id}: ${target}`,
    sha256: sha,
    bytes,
  });
}

interface RestoreAll {
  readonly row: RunRow;
  readonly dir: string;
  readonly tools: OpenTools;
  readonly isDryRun: boolean;
  readonly changes: readonly FileChange[];
}

async function restoreAll(
  context: CommandContext,
  all: RestoreAll,
): Promise<{ restored: string[]; left: { target: string; why: string }[] }> {
  const restored: string[] = [];
  const left: { target: string; why: string }[] = [];
  for (const change of all.changes) {
    const why = await restoreOne(context, all, change);
    if (why === undefined) restored.push(change.target);
    else if (why !== '') left.push({ target: change.target, why });
  }
  return { restored, left };
}

/** Undefined when it is put back, an empty reason when it already is, otherwise why it was left alone. */
async function restoreOne(
  context: CommandContext,
  { row, dir, tools, isDryRun }: RestoreAll,
  change: FileChange,
): Promise<string | undefined> {
  const current = await tools.targetHash(change.target);
  if (current === change.before) return '';
  if (current !== change.after) return 'it was changed after the run';
  const beforeBytes = change.undo === undefined ? undefined : await fs.readFile(path.join(dir, change.undo));
  if (beforeBytes !== undefined && sha256(beforeBytes) !== change.before) return 'the kept copy is damaged';
  if (isDryRun) return undefined;
  const { id, session, agent } = row;
  await recordUndo(context, {
    run: id,
    session,
    agent,
    target: change.target,
    sha: change.before ?? sha256(''),
    bytes: beforeBytes?.length ?? 0,
  });
  return await tools.restoreTarget(change.target, { beforeBytes, expect: change.after });
}
