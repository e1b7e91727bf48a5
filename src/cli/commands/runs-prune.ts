import { count } from '../describe-totals.ts';
import fs from 'node:fs/promises';
import { FixRequestError } from '../../contracts/errors.ts';
import { terminalStates } from '../../contracts/run.ts';
import type { RunRow } from '../../state/runs.ts';
import { printResult, type CommandContext } from '../command.ts';
import { localUser } from '../run-options.ts';

const dayMs = 86_400_000;

/** Removes the folders and rows of old, ended runs; the ledger says that it happened, and stays valid without them. */
export async function pruneRuns(context: CommandContext, flags: { readonly olderThan: string; readonly dryRun?: boolean }): Promise<void> {
  const { app, io } = context;
  const days = Number(flags.olderThan);
  if (!Number.isFinite(days) || days < 0)
    throw new FixRequestError(
      'cli.bad-number',
      `--older-than was given ${JSON.stringify(flags.olderThan)}, which is not a number of days. Give one, for example --older-than 30.`,
    );
  const home = await app.home();
  const runs = await app.runs();
  const old: RunRow[] = [];
  let before: RunRow['id'] | undefined;
  for (;;) {
    const page = runs.list({ tenant: app.tenant, limit: 500, ...(before === undefined ? {} : { before }) });
    old.push(...page.filter((row) => terminalStates.has(row.state) && (row.endedMs ?? row.createdMs) < Date.now() - days * dayMs));
    before = page.at(-1)?.id;
    if (page.length < 500) break;
  }
  if (flags.dryRun !== true && old.length > 0) {
    const ledger = await app.ledger();
    await ledger.append({
      type: 'prune',
      at: new Date().toISOString(),
      principal: localUser(context),
      runs: old.map((row) => row.id),
      reason: `older than ${days} days`,
    });
    for (const row of old) {
      await fs.rm(home.runDir(row.tenant, row.id), { recursive: true, force: true });
      runs.remove(row.id);
    }
  }
  const text =
    old.length === 0
      ? 'No ended run is that old.'
      : `${flags.dryRun === true ? 'Would remove' : 'Removed'} ${count(old.length, 'run')}: ${old.map((row) => row.id).join(' ')}`;
  printResult(io, { runs: old.map((row) => row.id), isDryRun: flags.dryRun === true }, text);
}
