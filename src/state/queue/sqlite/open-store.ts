import { AskHumanError, ClawholdError, reasonOf } from '../../../contracts/errors.ts';
import { openDatabase, type Database } from '../../database.ts';
import { queueSteps } from './schema.ts';

const pageBytes = 4096;

/** Of the monotonic clock between two processes: what was read earlier may be written later. */
const slackMs = 1000;

/**
 * Opens the file, made when missing, with its schema up to date.
 * @throws AskHumanError when it is damaged: unlike the state database it cannot be made again from other files.
 */
export function openQueueFile(file: string, maxBytes?: number): Database {
  try {
    const database = openDatabase(file, { steps: queueSteps });
    // 16 MiB between checkpoints instead of 4, for each costs two syncs, and as much of the file in memory instead of 2.
    database.run('PRAGMA wal_autocheckpoint = 4000');
    database.run('PRAGMA cache_size = -16384');
    if (maxBytes !== undefined) database.run(`PRAGMA max_page_count = ${Math.floor(maxBytes / pageBytes)}`);
    return database;
  } catch (error) {
    if (!(error instanceof ClawholdError) || error.code !== 'state.database-damaged') throw error;
    throw new AskHumanError(
      'state.queue-damaged',
      `The queue ${file} is damaged: ${reasonOf(error.cause)}. Restore it from a backup, or move it away (and its -wal and -shm files) and give up the tasks in it.`,
      { cause: error },
    );
  }
}

/**
 * After a restart of the machine its monotonic clock counts anew and every holder is dead: leases and delays end now.
 * When it already counts further than before nothing needs to be done, for then they end in their time.
 */
export function endLeasesOfOldBoot(database: Database, monotonicMs: number): void {
  database.transact(() => {
    const { seen } = database.get("SELECT first AS seen FROM note WHERE name = 'monotonic'") as { seen: number };
    if (monotonicMs >= seen - slackMs) return;
    database.run('UPDATE task SET end_monotonic_ms = ? WHERE state IN (1, 3)', monotonicMs);
    database.run("UPDATE note SET first = ? WHERE name = 'monotonic'", monotonicMs);
  });
}
