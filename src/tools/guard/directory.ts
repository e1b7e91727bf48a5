import fs from 'node:fs';
import { errnoOf, Refusal } from './refusal.ts';

/**
 * A folder held open. In `race-free` mode everything beneath it is reached through its descriptor
 * (`/proc/self/fd/N/name`), so that no rename or link made meanwhile can redirect the next step. In `best-effort` mode
 * it is reached by path, and `verify` compares every folder on the way with what was opened.
 */
export interface Directory {
  readonly fd: number;
  readonly dev: number;
  readonly ino: number;
  readonly isPinned: boolean;
  /** Of a root where it really was when it was opened; best effort only: below it too, and the folders above up to the root. */
  readonly path: string;
  readonly above?: Directory;
}

const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
/** Linux's O_PATH, which Node does not name: a handle that identifies without opening. */
export const O_PATH = 0x200000;

/** Kernel file systems whose files are not files: proc, sysfs, debugfs, tracefs, securityfs, configfs, cgroup 1 and 2, bpf. */
const kernelFileSystems: ReadonlySet<number> = new Set([
  0x9fa0, 0x62656572, 0x64626720, 0x74726163, 0x73636673, 0x62656570, 0x27e0eb, 0x63677270, 0xcafe4a11,
]);

/** The text that the kernel reads as "this name in that held folder". */
export function locate(folder: Directory, name: string): string {
  return folder.isPinned ? `/proc/self/fd/${folder.fd}/${name}` : `${folder.path}/${name}`;
}

/** The folder itself, for readdir. */
export function locateSelf(folder: Directory): string {
  return folder.isPinned ? `/proc/self/fd/${folder.fd}` : folder.path;
}

/** @param dir absolute and already resolved: the last component must not be a link. */
export function openRootDirectory(dir: string, isPinned: boolean): Directory {
  const fd = fs.openSync(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  const { dev, ino } = fs.fstatSync(fd);
  return { fd, dev, ino, isPinned, path: dir };
}

/** Whether descriptors can be walked through on this system. */
export function canPin(fd: number): boolean {
  try {
    const own = fs.fstatSync(fd);
    const seen = fs.statSync(`/proc/self/fd/${fd}/.`);
    return process.platform === 'linux' && seen.ino === own.ino && seen.dev === own.dev;
  } catch {
    // silent-ok: no /proc, so there is nothing to walk through
    return false;
  }
}

/** Opens a sub-folder without following a link. Throws the system's error, or a Refusal for a kernel file system. */
export function openChild(folder: Directory, name: string, shown: string): Directory {
  const location = locate(folder, name);
  let fd: number;
  try {
    fd = fs.openSync(location, (folder.isPinned ? O_PATH : O_RDONLY) | O_DIRECTORY | O_NOFOLLOW);
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOTDIR') refuseLink(location, shown);
    throw thrown;
  }
  try {
    const { dev, ino } = fs.fstatSync(fd);
    if (dev !== folder.dev) refuseKernelFiles(locateFd(fd), shown);
    return { fd, dev, ino, isPinned: folder.isPinned, path: `${folder.path}/${name}`, ...(folder.isPinned ? {} : { above: folder }) };
  } catch (thrown) {
    fs.closeSync(fd);
    throw thrown;
  }
}

/** Best effort only: refuses when a folder on the way is not any more the one that was opened. */
export function verify(folder: Directory, shown: string): void {
  if (folder.isPinned) return;
  for (let at: Directory | undefined = folder; at !== undefined; at = at.above) {
    const now = fs.lstatSync(at.path);
    if (now.isSymbolicLink() || now.ino !== at.ino || now.dev !== at.dev) {
      throw new Refusal('fs.changed', `${shown} was not used because a folder above it was replaced meanwhile; try again.`);
    }
  }
}

export function locateFd(fd: number): string {
  return `/proc/self/fd/${fd}`;
}

export function refuseKernelFiles(location: string, shown: string): void {
  if (process.platform !== 'linux') return;
  if (kernelFileSystems.has(fs.statfsSync(location).type)) {
    throw new Refusal('fs.special', `${shown} is on a kernel file system; only regular files can be used.`);
  }
}

/** The kernel says ENOTDIR for a link to a folder as well as for a file: tell them apart, for the message only. */
function refuseLink(location: string, shown: string): void {
  if (fs.lstatSync(location, { throwIfNoEntry: false })?.isSymbolicLink() !== true) return;
  throw new Refusal(
    'fs.symlink',
    `${shown} leads through a symbolic link, which is never followed because it can lead outside; use the real path.`,
  );
}
