import fs from 'node:fs';
import path from 'node:path';
import { syncDirectories } from '../durable-dir.ts';

/**
 * The write-ahead log beside an open database, to be synced on another thread: that is what SQLite does at a commit
 * with `synchronous = FULL`, holding up the process. What a checkpoint has moved into the database by then, SQLite has
 * synced there. Where the file system has no log, SQLite syncs at every commit, and nothing is left to do.
 *
 * The log keeps its file as long as a connection is open. It is not a file on which SQLite holds locks, so closing
 * another descriptor of it drops none.
 */
export interface Wal {
  sync(): Promise<void>;
  /** The descriptor is closed when a sync under way has ended: its number is used again. */
  close(): void;
}

export function openWal(database: string): Wal {
  const file = `${database}-wal`;
  let fd: number | undefined;
  let under: Promise<void> = Promise.resolve();
  const close = (): void => {
    if (fd !== undefined) fs.closeSync(fd);
    fd = undefined;
  };
  return {
    sync: () => {
      const isFirst = fd === undefined;
      if (isFirst && !fs.existsSync(file)) return Promise.resolve();
      fd ??= fs.openSync(file, 'r');
      under = syncBoth(fd, isFirst ? path.dirname(file) : undefined);
      return under;
    },
    close: () => void under.then(close, close),
  };
}

async function syncBoth(fd: number, folder: string | undefined): Promise<void> {
  const synced = new Promise<void>((resolve, reject) => {
    fs.fdatasync(fd, (error) => (error === null ? resolve() : reject(error)));
  });
  await Promise.all([synced, folder === undefined ? undefined : syncDirectories([folder])]);
}
