import fs from 'node:fs';
import path from 'node:path';
import { oneSync } from './one-sync.ts';

/**
 * Makes a folder and its missing parents (mode 0700) and makes their names durable, so that a file that is fsynced in
 * it cannot vanish with its folder when the power fails.
 */
export function makeDurableDir(dir: string): void {
  for (const changed of makeDir(dir)) syncDirectory(changed);
}

/** Makes a folder and its missing parents (mode 0700); returns the folders that got a new name and are to be synced. */
function makeDir(dir: string): string[] {
  const first = fs.mkdirSync(dir, { recursive: true, mode: 0o700 });
  if (first === undefined) return [];
  const changed: string[] = [];
  for (let folder = path.resolve(dir); folder.length >= first.length; folder = path.dirname(folder)) changed.push(path.dirname(folder));
  return changed;
}

/** Makes names that were created, renamed or removed in a folder durable. */
export function syncDirectory(dir: string): void {
  const fd = fs.openSync(dir, 'r');
  try {
    fs.fsyncSync(fd);
  } catch (error) {
    if (!cannotSyncFolders(error)) throw error;
  } finally {
    fs.closeSync(fd);
  }
}

/** The same for several folders at once, without holding up the event loop. */
export async function syncDirectories(dirs: readonly string[]): Promise<void> {
  await Promise.all(dirs.map(async (dir) => await syncElsewhere(dir)));
}

/** Syncs a folder that many add names to: who asks while a sync is under way shares the next one. */
export type SharedSync = (dir: string) => Promise<void>;

const maxFolders = 256;

/** For a process that makes many files in the same folders. */
export function openSharedSync(sync: (dir: string) => Promise<void> = syncElsewhere): SharedSync {
  const folders = new Map<string, () => Promise<void>>();
  return (dir) => {
    let shared = folders.get(dir);
    if (shared === undefined) {
      if (folders.size >= maxFolders) folders.clear();
      folders.set(dir, (shared = oneSync(async () => await sync(dir))));
    }
    return shared();
  };
}

/** Only the sync waits for the disk, so only that goes to another thread. */
function syncElsewhere(dir: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fd = fs.openSync(dir, 'r');
    fs.fsync(fd, (error) => {
      fs.closeSync(fd);
      if (error === null || cannotSyncFolders(error)) resolve();
      else reject(error);
    });
  });
}

/** Some systems and network file systems refuse to sync a folder: there its names are durable by other means or not at all. */
function cannotSyncFolders(error: unknown): boolean {
  return ['EINVAL', 'EPERM', 'EISDIR', 'ENOTSUP'].includes((error as NodeJS.ErrnoException).code ?? '');
}
