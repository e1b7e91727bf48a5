import { count } from '../describe-totals.ts';
import fs from 'node:fs/promises';
import path from 'node:path';
import { readJournal } from '../../state/journal.ts';
import { rebuildRuns } from '../../state/rebuild-runs.ts';
import { openRuns } from '../../state/runs.ts';
import { openSessions } from '../../state/sessions.ts';
import { openTenants } from '../../state/tenants.ts';
import { bundleFiles } from '../../worker/bundle.ts';
import { printResult, type CommandContext } from '../command.ts';

/** For a home whose database was lost: the files of the runs hold everything that the list of runs shows. */
export async function reindexRuns(context: CommandContext): Promise<void> {
  const { app, io } = context;
  const [home, database] = await Promise.all([app.home(), app.database()]);
  // Tenant default is the platform: what was lost, was lost for all.
  const tenants = app.tenant === 'default' ? openTenants(home).list() : [app.tenant];
  for (const tenant of tenants) await completeRunFiles(path.join(home.tenantDir(tenant), 'runs'));
  const { found, problems } = rebuildRuns({ home, runs: openRuns(database), sessions: openSessions(database), tenants });
  const lines = [`Indexed ${count(found, 'run')} from their folders.`, ...problems.map((problem) => io.color.yellow(problem))];
  printResult(io, { found, problems }, lines.join('\n'));
  if (problems.length > 0) context.exit(1);
}

/** A run that was interrupted has only its journal: its `run.json` is made from that. */
async function completeRunFiles(dir: string): Promise<void> {
  for (const day of await fs.readdir(dir).catch(() => [])) {
    for (const run of await fs.readdir(path.join(dir, day)).catch(() => [])) {
      const folder = path.join(dir, day, run);
      const names = new Set(await fs.readdir(folder).catch(() => []));
      if (names.has('run.json') || !names.has('journal.jsonl')) continue;
      const entries = await readJournal(path.join(folder, 'journal.jsonl'));
      const text = entries.length === 0 ? undefined : bundleFiles(entries).get('run.json');
      if (text !== undefined) await fs.writeFile(path.join(folder, 'run.json'), text, { mode: 0o600 });
    }
  }
}
