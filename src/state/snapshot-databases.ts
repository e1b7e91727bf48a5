import fs from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { AskHumanError, reasonOf, RetryableError } from '../contracts/errors.ts';
import { inspectDatabase } from './inspect-database.ts';

export interface DatabaseCopy {
  readonly from: string;
  /** Must not exist; gets mode 0600. */
  readonly to: string;
}

/**
 * Copies databases that are in use as they all were at one moment, each into one file without a write-ahead log.
 *
 * The moment: with the write lock of every database held, a read snapshot of each is opened, and the locks are released
 * at once; so writers wait for milliseconds, not for the copies, and no copy knows of something that another one lacks.
 * @throws RetryableError when a database stays locked or the disk takes no more; AskHumanError when one is damaged.
 */
export async function snapshotDatabases(copies: readonly DatabaseCopy[]): Promise<void> {
  using open = new DisposableStack();
  const sources = snapshotAll(copies, open);
  const { backup } = process.getBuiltinModule('node:sqlite');
  for (const { source, from, to } of sources) {
    try {
      await backup(source, to, { rate: 1000 });
      fs.chmodSync(to, 0o600);
      makePlain(to);
    } catch (error) {
      throw notCopied(from, error);
    }
    const { problems } = inspectDatabase(to);
    if (problems.length > 0)
      throw new AskHumanError(
        'state.database-damaged',
        `The copy of the database ${from} is damaged, so the original is: ${problems[0] ?? ''}. Stop the server and run clawhold doctor; restore the last good backup.`,
      );
  }
}

function snapshotAll(
  copies: readonly DatabaseCopy[],
  open: DisposableStack,
): readonly (DatabaseCopy & { readonly source: DatabaseSync })[] {
  using writers = new DisposableStack();
  for (const { from } of copies) writers.use(closing(connect(from, false), 'BEGIN IMMEDIATE', from));
  return copies.map((copy) => {
    const { connection } = open.use(closing(connect(copy.from, true), 'BEGIN', copy.from));
    // A snapshot begins with the first read, not with BEGIN.
    connection.prepare('SELECT count(*) FROM sqlite_schema').get();
    return { ...copy, source: connection };
  });
}

function connect(file: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync: Connection } = process.getBuiltinModule('node:sqlite');
  try {
    return new Connection(file, { readOnly, timeout: 10_000 });
  } catch (error) {
    throw notCopied(file, error);
  }
}

function closing(connection: DatabaseSync, begin: string, file: string): { readonly connection: DatabaseSync } & Disposable {
  try {
    connection.exec(begin);
  } catch (error) {
    connection.close();
    throw notCopied(file, error);
  }
  // Closing ends the transaction without a change.
  return { connection, [Symbol.dispose]: () => connection.close() };
}

/** One file: a write-ahead log beside a copy could be lost on its way. */
function makePlain(file: string): void {
  const { DatabaseSync: Connection } = process.getBuiltinModule('node:sqlite');
  const connection = new Connection(file);
  try {
    connection.exec('PRAGMA journal_mode = DELETE');
  } finally {
    connection.close();
  }
}

function notCopied(file: string, cause: unknown): RetryableError {
  return new RetryableError(
    'state.database-not-copied',
    `The database ${file} cannot be copied: ${reasonOf(cause)}. Nothing was changed; make room or end what holds it, then try again.`,
    { cause },
  );
}
