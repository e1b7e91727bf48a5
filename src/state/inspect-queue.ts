import fs from 'node:fs';
import { openDatabaseForReading } from './database.ts';
import type { QueueCounts } from './queue.ts';
import { readCounts } from './queue/sqlite/read-tasks.ts';
import { queueSteps } from './queue/sqlite/schema.ts';

/** The newest schema of `queue.db` that this build knows. */
export const knownQueueSchema: number = queueSteps.length;

/**
 * What waits on a queue, by tenant and agent type, read beside whoever works on it; empty when there is none yet, or when
 * the first process died while it was made.
 */
export function inspectQueue(file: string): readonly QueueCounts[] {
  if (!fs.existsSync(file)) return [];
  using database = openDatabaseForReading(file);
  const { user_version: schema } = database.get('PRAGMA user_version') as { readonly user_version: number };
  return schema === 0 ? [] : readCounts(database, {});
}
