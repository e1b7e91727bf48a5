import fs from 'node:fs';
import path from 'node:path';
import { reasonOf } from '../contracts/errors.ts';
import type { Home } from './home.ts';
import { parseRunFile } from './run-file.ts';
import type { Runs } from './runs.ts';
import type { Sessions } from './sessions.ts';

export interface RebuildContext {
  readonly home: Home;
  readonly runs: Runs;
  readonly sessions: Sessions;
  /** Absent: all that have a folder. */
  readonly tenants?: readonly string[];
}

export interface RebuildResult {
  readonly found: number;
  /** One sentence for each folder whose `run.json` could not be used. */
  readonly problems: readonly string[];
}

/** Makes the rows of runs and sessions again from the `run.json` files of all tenants: for a home whose database is gone. */
export function rebuildRuns({ home, runs, sessions, tenants }: RebuildContext): RebuildResult {
  const problems: string[] = [];
  let found = 0;
  for (const file of runFiles(home, tenants ?? namesIn(path.join(home.dir, 'tenants')))) {
    try {
      const row = parseRunFile(fs.readFileSync(file, 'utf8'), file);
      if (home.runDir(row.tenant, row.id) !== path.dirname(file))
        throw new Error(`it names the run ${row.id} of tenant ${row.tenant}, which lies elsewhere`);
      runs.put(row);
      sessions.create({ id: row.session, tenant: row.tenant, agent: row.agent, createdMs: row.createdMs });
      sessions.setLastRun(row.session, row.id);
      found += 1;
    } catch (error) {
      problems.push(`The run in ${path.dirname(file)} is not listed: ${reasonOf(error)}.`);
    }
  }
  return { found, problems };
}

/** Oldest first, because folders are named by day and runs by time: the last run of a session is set last. */
function* runFiles(home: Home, tenants: readonly string[]): Generator<string> {
  for (const tenant of tenants) {
    const days = path.join(home.dir, 'tenants', tenant, 'runs');
    for (const day of namesIn(days)) {
      for (const run of namesIn(path.join(days, day))) {
        const file = path.join(days, day, run, 'run.json');
        if (fs.existsSync(file)) yield file;
      }
    }
  }
}

function namesIn(dir: string): string[] {
  return fs.existsSync(dir) ? fs.readdirSync(dir).toSorted() : [];
}
