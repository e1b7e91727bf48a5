import fs from 'node:fs';
import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { FixRequestError, reasonOf, RetryableError } from '../contracts/errors.ts';
import { openGroupCommit, type InGroup } from './database/group-commit.ts';
import { openWal } from './database/wal.ts';
import { schemaSteps } from './database/schema.ts';
import { oneSync } from './one-sync.ts';

export type SqlValue = string | number | null;

/** Rows come as arrays, which costs half of what objects do. */
export interface Statement {
  run(...values: SqlValue[]): unknown;
  get(...values: SqlValue[]): unknown;
  all(...values: SqlValue[]): unknown[];
}

/** The state database of a home: indexes, approvals, sessions. One connection a process. */
export interface Database extends Disposable {
  readonly file: string;
  run(sql: string, ...values: SqlValue[]): { readonly changes: number };
  get(sql: string, ...values: SqlValue[]): unknown;
  all(sql: string, ...values: SqlValue[]): unknown[];
  /** Prepared once, for what is done often. One that writes is used within `transact` only. */
  statement(sql: string): Statement;
  /** All or nothing, with the write lock from the start; within another one it is a part of that. */
  transact<T>(work: () => T): T;
  /**
   * Writes inside are safe from a crash of the process but not from a power loss: for columns that are an index of
   * files, where a synced write for each would double the disk's work.
   */
  relaxed<T>(work: () => T): T;
  /** What is asked for in one turn of the event loop becomes one relaxed transaction at its end. */
  readonly inGroup: InGroup;
  /**
   * Resolves when everything written so far, relaxed or not, is safe from a power loss. Many at once cost one sync, and
   * nothing waits for the disk meanwhile.
   */
  settle(): Promise<void>;
}

export interface DatabaseOptions {
  /** Statements for each schema version; tests add one. */
  readonly steps?: readonly string[];
}

/**
 * Opens (or makes, mode 0600) the database and brings its schema up to date.
 *
 * Contract: steps only go forward, each in one transaction with its version, so that running them twice or from two
 * processes at once is safe.
 * @throws FixRequestError when a newer Clawhold made the file, or when it is no database.
 */
export function openDatabase(file: string, options: DatabaseOptions = {}): Database {
  const { DatabaseSync: Connection } = process.getBuiltinModule('node:sqlite');
  let connection: DatabaseSync;
  try {
    if (!fs.existsSync(file)) fs.closeSync(fs.openSync(file, 'a', 0o600));
    connection = new Connection(file, { timeout: 5000 });
  } catch (error) {
    throw new RetryableError(
      'state.database-not-opened',
      `The database ${file} cannot be opened: ${reasonOf(error)}. Make its folder writable, then try again.`,
      { cause: error },
    );
  }
  try {
    prepare(connection, file, options.steps ?? schemaSteps);
  } catch (error) {
    connection.close();
    throw error;
  }
  return wrap(connection, file);
}

/**
 * Opens a database to look at it: nothing is made, brought up to date or changed, whatever schema it has.
 * @throws RetryableError when there is none that can be read.
 */
export function openDatabaseForReading(file: string): Database {
  const { DatabaseSync: Connection } = process.getBuiltinModule('node:sqlite');
  try {
    const connection = new Connection(file, { readOnly: true, timeout: 5000 });
    // The file is looked at by the first read, not when it is opened.
    connection.prepare('PRAGMA schema_version').get();
    return wrap(connection, file);
  } catch (error) {
    if (isDamage(error))
      throw new FixRequestError(
        'state.database-damaged',
        `The database ${file} is damaged: ${reasonOf(error)}. Run clawhold doctor, and restore it from a backup.`,
        { cause: error },
      );
    throw new RetryableError(
      'state.database-not-opened',
      `The database ${file} cannot be read: ${reasonOf(error)}. Make it readable for you, then try again.`,
      { cause: error },
    );
  }
}

function isDamage(error: unknown): boolean {
  const code = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  return code === 26 || code === 11;
}

/**
 * The pages that the log holds before they are moved into the database: 16 MB. Moving syncs both files while the process
 * waits, so four times as many as usual, and as many as one table of the log's index finds (4062): reading stays as fast.
 */
const logPages = 4000;

function prepare(connection: DatabaseSync, file: string, steps: readonly string[]): void {
  try {
    connection.exec(
      `PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA wal_autocheckpoint = ${logPages}`,
    );
    migrate(connection, file, steps);
  } catch (error) {
    if (error instanceof FixRequestError) throw error;
    if (isDamage(error)) {
      throw new FixRequestError(
        'state.database-damaged',
        `The database ${file} is damaged: ${reasonOf(error)}. Move it away (and its -wal and -shm files); it is made again, and the list of runs is rebuilt from their folders.`,
        { cause: error },
      );
    }
    throw new RetryableError(
      'state.database-not-opened',
      `The database ${file} cannot be used: ${reasonOf(error)}. Make room or make it writable, then try again.`,
      { cause: error },
    );
  }
}

function migrate(connection: DatabaseSync, file: string, steps: readonly string[]): void {
  if (versionOf(connection) === steps.length) return;
  connection.exec('BEGIN IMMEDIATE');
  try {
    // Read again under the lock: another process may have been faster.
    const version = versionOf(connection);
    if (version > steps.length) {
      throw new FixRequestError(
        'state.database-newer',
        `The database ${file} has schema ${version}, but this Clawhold knows ${steps.length} at most: a newer one made it. Use that one, or another home.`,
      );
    }
    for (const step of steps.slice(version)) connection.exec(step);
    connection.exec(`PRAGMA user_version = ${steps.length}`);
    connection.exec('COMMIT');
  } catch (error) {
    connection.exec('ROLLBACK');
    throw error;
  }
}

function versionOf(connection: DatabaseSync): number {
  return (connection.prepare('PRAGMA user_version').get() as { user_version: number }).user_version;
}

/** Nothing of it is synced, whatever the mode. */
const isReading = /^SELECT /;

function wrap(connection: DatabaseSync, file: string): Database {
  const statements = new Map<string, StatementSync>();
  const withArrays = new Map<string, StatementSync>();
  const wal = openWal(file);
  const sync = syncMode(connection);
  const prepared = (sql: string): StatementSync => {
    if (!isReading.test(sql)) sync.set();
    let statement = statements.get(sql);
    if (statement === undefined) statements.set(sql, (statement = connection.prepare(sql)));
    return statement;
  };
  const inTransaction = <T>(work: () => T): T =>
    connection.isTransaction ? work() : transact(connection, { work, exec: (sql) => prepared(sql).run() });
  const group = openGroupCommit((work) => sync.relaxed(() => inTransaction(work)));
  return {
    file,
    run: (sql, ...values) => ({ changes: Number(prepared(sql).run(...values).changes) }),
    get: (sql, ...values) => prepared(sql).get(...values),
    all: (sql, ...values) => prepared(sql).all(...values),
    statement: (sql) => {
      let statement = withArrays.get(sql);
      if (statement !== undefined) return statement;
      withArrays.set(sql, (statement = connection.prepare(sql)));
      statement.setReturnArrays(true);
      return statement;
    },
    transact: inTransaction,
    relaxed: (work) => sync.relaxed(work),
    inGroup: group.inGroup,
    settle: oneSync(async () => await wal.sync()),
    [Symbol.dispose]: () => {
      group.commitNow();
      wal.close();
      statements.clear();
      withArrays.clear();
      connection.close();
    },
  };
}

function transact<T>(connection: DatabaseSync, { work, exec }: { readonly work: () => T; readonly exec: (sql: string) => unknown }): T {
  exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    exec('COMMIT');
    return result;
  } catch (error) {
    // A full disk may have ended it already.
    if (connection.isTransaction) connection.exec('ROLLBACK');
    throw error;
  }
}

interface SyncMode {
  /** Before a statement: whether it is synced is decided by where it runs. */
  set(): void;
  relaxed<T>(work: () => T): T;
}

/** Changed only when it must be, for that costs as much as a statement; within a transaction it cannot be. */
function syncMode(connection: DatabaseSync): SyncMode {
  let isFull = true;
  let depth = 0;
  const set = (): void => {
    const wantsFull = depth === 0;
    if (isFull === wantsFull || connection.isTransaction) return;
    connection.exec(`PRAGMA synchronous = ${wantsFull ? 'FULL' : 'NORMAL'}`);
    isFull = wantsFull;
  };
  return {
    set,
    relaxed: (work) => {
      depth += 1;
      try {
        return work();
      } finally {
        depth -= 1;
      }
    },
  };
}
