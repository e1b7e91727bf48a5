import { constants } from 'node:fs';
import { chmod, copyFile, lchown, lstat, mkdir, readdir, readlink, rm, symlink, utimes } from 'node:fs/promises';
import path from 'node:path';
import type { Stats } from 'node:fs';

/** What a file looked like when both sides were last equal. */
type Fingerprint = string;

export interface SyncOptions {
  /** Who owns what is made. */
  readonly owner: { readonly uid: number; readonly gid: number };
  /** Relative paths, with `/`, that are neither copied, nor deleted, nor looked into. */
  readonly skip: (relative: string) => boolean;
  /** By relative path, of the source: what is equal to it is not copied again. Updated. */
  readonly known: Map<string, Fingerprint>;
  /** The same of the target, for a later sync in the other direction. Updated. */
  readonly reverse: Map<string, Fingerprint>;
}

/**
 * Makes `to` equal to `from`: files, folders, links; deletes what `from` has no more but had when both were last equal.
 *
 * Links are copied as links and never followed, on either side; sockets, FIFOs and devices are left out; set-id bits
 * are dropped; hard links become files of their own. Contract: nothing else changes `from` meanwhile.
 */
export async function syncTree(from: string, to: string, options: SyncOptions): Promise<void> {
  const seen = new Set<string>();
  await syncFolder({ from, to, options, seen }, '');
  for (const relative of options.known.keys()) {
    if (seen.has(relative) || options.skip(relative)) continue;
    options.known.delete(relative);
    options.reverse.delete(relative);
    await rm(path.join(to, relative), { recursive: true, force: true });
  }
}

interface Sync {
  readonly from: string;
  readonly to: string;
  readonly options: SyncOptions;
  readonly seen: Set<string>;
}

async function syncFolder(sync: Sync, folder: string): Promise<void> {
  for (const name of await readdir(path.join(sync.from, folder))) {
    const relative = path.posix.join(folder, name);
    if (!sync.options.skip(relative)) await syncEntry(sync, relative);
  }
}

async function syncEntry(sync: Sync, relative: string): Promise<void> {
  const source = path.join(sync.from, relative);
  const stats = await lstat(source).catch(() => undefined);
  if (stats === undefined || !(stats.isDirectory() || stats.isFile() || stats.isSymbolicLink())) return;
  sync.seen.add(relative);
  const target = path.join(sync.to, relative);
  const print = fingerprint(stats);
  const there = await lstat(target).catch(() => undefined);
  if (there !== undefined && fileType(there) !== fileType(stats)) await rm(target, { recursive: true, force: true });
  if (stats.isDirectory()) await makeFolder(sync, target, stats);
  else if (there === undefined || sync.options.known.get(relative) !== print) await copyLeaf(sync, { source, target, stats });
  sync.options.known.set(relative, print);
  sync.options.reverse.set(relative, fingerprint(await lstat(target)));
  if (stats.isDirectory()) await syncFolder(sync, relative);
}

async function makeFolder(sync: Sync, target: string, stats: Stats): Promise<void> {
  await mkdir(target).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'EEXIST') throw error; // silent-ok: it is there
  });
  await setOwner(sync, target);
  await chmod(target, (stats.mode & 0o777) | 0o700);
}

async function copyLeaf(sync: Sync, leaf: { readonly source: string; readonly target: string; readonly stats: Stats }): Promise<void> {
  await rm(leaf.target, { force: true });
  if (leaf.stats.isSymbolicLink()) {
    await symlink(await readlink(leaf.source), leaf.target);
    return await setOwner(sync, leaf.target);
  }
  await copyFile(leaf.source, leaf.target, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  await chmod(leaf.target, leaf.stats.mode & 0o777);
  await utimes(leaf.target, leaf.stats.atime, leaf.stats.mtime);
  await setOwner(sync, leaf.target);
}

async function setOwner(sync: Sync, target: string): Promise<void> {
  await lchown(target, sync.options.owner.uid, sync.options.owner.gid);
}

function fileType(stats: Stats): number {
  return stats.mode & constants.S_IFMT;
}

function fingerprint(stats: Stats): Fingerprint {
  return stats.isDirectory() ? 'folder' : `${stats.ino}:${stats.size}:${stats.mtimeMs}:${stats.ctimeMs}:${stats.mode}`;
}
