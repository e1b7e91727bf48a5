import fs from 'node:fs';
import path from 'node:path';
import { inspectDatabase } from '../../state/inspect-database.ts';
import { fail, firstOf, ok, skip, type Check } from './check.ts';

export const databaseIntegrity: Check = {
  name: 'database-integrity',
  run: ({ home }) => {
    const files = fs.readdirSync(home.dir).filter((name) => name.endsWith('.db'));
    if (files.length === 0) return skip('There is no database yet.');
    const problems = files.flatMap((name) => inspectDatabase(path.join(home.dir, name)).problems.map((problem) => `${name}: ${problem}`));
    if (problems.length === 0) return ok(`${files.toSorted().join(' and ')} ${files.length === 1 ? 'is' : 'are'} sound.`);
    return fail(
      `A database is damaged: ${firstOf(problems)}.`,
      'Stop the server and restore a backup; a state.db alone can be moved away and made again with clawhold runs reindex.',
    );
  },
};
