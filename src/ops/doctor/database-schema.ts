import fs from 'node:fs';
import path from 'node:path';
import { inspectDatabase, knownSchema } from '../../state/inspect-database.ts';
import { knownQueueSchema } from '../../state/inspect-queue.ts';
import { fail, firstOf, ok, skip, warn, type Check } from './check.ts';

export const databaseSchema: Check = {
  name: 'database-schema',
  run: ({ home }) => {
    const newer: string[] = [];
    const older: string[] = [];
    const files = [
      { file: home.databaseFile, known: knownSchema },
      { file: path.join(home.dir, 'queue.db'), known: knownQueueSchema },
    ].filter(({ file }) => fs.existsSync(file));
    if (files.length === 0) return skip('There is no database yet; the first run makes it.');
    for (const { file, known } of files) {
      const { schema } = inspectDatabase(file);
      if (schema > known) newer.push(`${file} has schema ${schema}, and this build knows ${known}`);
      if (schema < known) older.push(`${file} has schema ${schema}, and this build brings it to ${known}`);
    }
    if (newer.length > 0) return fail(`A newer Clawhold made the database: ${firstOf(newer)}.`, 'Use that one, or another home.');
    if (older.length > 0)
      return warn(
        `The database is older than the program: ${firstOf(older)}.`,
        'It is brought up to date at the next start; make a backup before.',
      );
    return ok('Databases have the schema of this build.');
  },
};
