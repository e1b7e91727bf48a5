import fs from 'node:fs';
import { isClaimAlive } from '../../governance/ledger.ts';
import { openDatabaseForReading } from '../../state/database.ts';
import { openRuns } from '../../state/runs.ts';
import { firstOf, ok, skip, warn, type Check } from './check.ts';

const page = 1000;

/** Runs whose process is gone: a server takes them up again, a command line does not. */
export const staleRuns: Check = {
  name: 'stale-runs',
  run: ({ home }) => {
    if (!fs.existsSync(home.databaseFile)) return skip('There are no runs yet.');
    using database = openDatabaseForReading(home.databaseFile);
    const running = openRuns(database).list({ state: 'running', limit: page });
    const stale = running
      .filter(({ tenant, owner }) => owner === undefined || !isClaimAlive(home.ledgerDir(tenant), owner))
      .map(({ id }) => id);
    if (stale.length === 0)
      return ok(`${running.length === 0 ? 'No run is' : `${running.length} runs are`} under way, and none has lost its process.`);
    return warn(
      `${stale.length} interrupted run${stale.length === 1 ? ' has' : 's have'} no process: ${firstOf(stale)}.`,
      'Continue with clawhold runs resume RUN, or end it with clawhold runs stop RUN.',
    );
  },
};
