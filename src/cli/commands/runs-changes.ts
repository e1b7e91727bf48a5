import fs from 'node:fs/promises';
import path from 'node:path';
import { parseAgentId } from '../../contracts/ids.ts';
import type { JournalEntry } from '../../contracts/journal.ts';
import type { Sha256 } from '../../contracts/json.ts';
import type { RunRow } from '../../state/runs.ts';
import { loadAgent, type LoadedAgent } from '../../worker/load-agent.ts';
import type { CommandContext } from '../command.ts';

/** One file that a run changed: how it was before the first change and what the last one left. */
export interface FileChange {
  readonly target: string;
  /** Undefined when the run made the file. */
  readonly before?: Sha256;
  readonly after: Sha256;
  /** Name of the kept copy within the run's folder. */
  readonly undo?: string;
}

/** The changes of a run that are known to have happened, by file. */
export function changesOf(entries: readonly JournalEntry[]): FileChange[] {
  const done = new Set(entries.flatMap((entry) => (entry.kind === 'result' && !entry.result.isError ? [entry.callId] : [])));
  const changes = new Map<string, FileChange>();
  for (const entry of entries) {
    if (entry.kind !== 'intent' || entry.target === undefined || entry.after === undefined || !done.has(entry.callId)) continue;
    const first = changes.get(entry.target) ?? entry;
    const before = first.before === undefined ? {} : { before: first.before };
    const undo = first.undo === undefined ? {} : { undo: first.undo };
    changes.set(entry.target, { target: entry.target, after: entry.after, ...before, ...undo });
  }
  return [...changes.values()].filter((change) => change.before !== change.after);
}

/** The agent of a run, on the workspace that the run had. */
export async function agentOfRun({ app }: CommandContext, row: RunRow, workspace: string | undefined): Promise<LoadedAgent> {
  return await loadAgent(await app.home(), {
    tenant: row.tenant,
    agent: parseAgentId(row.agent),
    ...(workspace === undefined ? {} : { workspace }),
  });
}

/** Unified diff from before the run to the files as they are now, secrets hidden. */
export async function diffOfChanges(context: CommandContext, row: RunRow, changes: readonly FileChange[]): Promise<string> {
  const { app } = context;
  const [{ diffText }, { readJournal }] = await Promise.all([import('../../tools/diff-text.ts'), import('../../state/journal.ts')]);
  const dir = (await app.home()).runDir(row.tenant, row.id);
  const accepted = (await readJournal(path.join(dir, 'journal.jsonl'))).find((entry) => entry.kind === 'accepted');
  await using tools = await app.openTools(await agentOfRun(context, row, accepted?.item.workspace));
  const redactor = await app.redactor();
  const parts = [];
  for (const change of changes) {
    const before = change.undo === undefined ? undefined : await fs.readFile(path.join(dir, change.undo), 'utf8');
    const after = await tools.readTarget(change.target);
    parts.push(redactor.text(await diffText({ path: change.target, before, after })));
  }
  return parts.join('');
}
