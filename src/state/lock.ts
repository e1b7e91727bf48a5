import fs from 'node:fs';
import type { DatabaseSync } from 'node:sqlite';
import { RetryableError } from '../contracts/errors.ts';

/** A lock that this process holds until it releases it or dies. */
export interface Claim extends Disposable {
  readonly file: string;
  release(): void;
}

/**
 * Takes the lock that `file` stands for; undefined when another claim, of this process or another, holds it.
 *
 * The kernel holds it: an exclusive SQLite transaction on an empty file is a set of fcntl locks, which vanish with the
 * process, however it dies. Trap: opening and closing `file` by other means in the holding process drops such locks, so
 * nothing but this module may touch it.
 * @throws RetryableError when the file can be neither made nor locked (read-only or full disk).
 */
export function tryClaim(file: string): Claim | undefined {
  const database = open(file, false);
  try {
    // A journal in memory: the transaction never writes, and no second file appears beside the lock.
    database.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
  } catch (error) {
    database.close();
    if (isBusy(error)) return undefined;
    throw notLocked(file, error);
  }
  let isHeld = true;
  const release = (): void => {
    if (isHeld) database.close();
    isHeld = false;
  };
  return { file, release, [Symbol.dispose]: release };
}

/** Whether any process holds the lock. Asking takes only a shared lock, so askers do not disturb each other. */
export function isClaimed(file: string): boolean {
  if (!fs.existsSync(file)) return false;
  const database = open(file, true);
  try {
    database.prepare('SELECT count(*) FROM sqlite_schema').get();
    return false;
  } catch (error) {
    if (isBusy(error)) return true;
    throw notLocked(file, error);
  } finally {
    database.close();
  }
}

function open(file: string, readOnly: boolean): DatabaseSync {
  const { DatabaseSync: Database } = process.getBuiltinModule('node:sqlite');
  try {
    // Made here and not by SQLite, for the mode.
    if (!readOnly) fs.closeSync(fs.openSync(file, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw notLocked(file, error);
    refuseReadOnly(file);
  }
  try {
    return new Database(file, { readOnly, timeout: 0 });
  } catch (error) {
    throw notLocked(file, error);
  }
}

/** SQLite opens a file that it may not write read-only, and its locks exclude nobody then. */
function refuseReadOnly(file: string): void {
  try {
    fs.accessSync(file, fs.constants.W_OK);
  } catch (error) {
    throw notLocked(file, error);
  }
}

function isBusy(error: unknown): boolean {
  const primary = ((error as { errcode?: number }).errcode ?? 0) & 0xff;
  return primary === 5 || primary === 6;
}

function notLocked(file: string, cause: unknown): RetryableError {
  return new RetryableError(
    'state.lock-failed',
    `The lock file ${file} cannot be used: ${(cause as Error).message}. Make its folder writable and its disk not full, then try again.`,
    { cause },
  );
}
