import { reasonOf } from '../contracts/errors.ts';
import { schemaSteps } from './database/schema.ts';

/** What a database file says of itself. */
export interface DatabaseFacts {
  readonly schema: number;
  /** Sentences of SQLite's own check; empty when the file is sound. */
  readonly problems: readonly string[];
}

/** The newest schema of `state.db` that this build knows. */
export const knownSchema: number = schemaSteps.length;

/** Looks at a database without changing it: neither schema nor contents. */
export function inspectDatabase(file: string): DatabaseFacts {
  const { DatabaseSync: Connection } = process.getBuiltinModule('node:sqlite');
  try {
    const connection = new Connection(file, { readOnly: true, timeout: 5000 });
    try {
      const { user_version: schema } = connection.prepare('PRAGMA user_version').get() as { user_version: number };
      const rows = connection.prepare('PRAGMA quick_check(10)').all() as { quick_check: string }[];
      return { schema, problems: rows.map((row) => row.quick_check).filter((text) => text !== 'ok') };
    } finally {
      connection.close();
    }
  } catch (error) {
    return { schema: 0, problems: [reasonOf(error)] };
  }
}
