import fs from 'node:fs';
import { locate, locateFd, O_PATH, refuseKernelFiles, type Directory } from './directory.ts';
import { Refusal } from './refusal.ts';
import type { Place } from './root.ts';

const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK, O_NOCTTY } = fs.constants;

/**
 * Opens a regular file with a single name. On Linux it is identified first and opened by identity, so that a device or
 * FIFO is never opened at all; elsewhere O_NONBLOCK keeps the open from waiting.
 */
export function openRegular(place: Place): { readonly fd: number; readonly stat: fs.Stats } {
  const { folder, shown } = place;
  if (place.name === '.') throw new Refusal('fs.not-a-file', `${shown} is a folder, not a file; use fs.list to see into it.`);
  const location = locate(folder, place.name);
  if (!folder.isPinned) return checked(fs.openSync(location, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY), folder, shown);
  const handle = checked(fs.openSync(location, O_PATH | O_NOFOLLOW), folder, shown);
  try {
    return { fd: fs.openSync(locateFd(handle.fd), O_RDONLY | O_NONBLOCK | O_NOCTTY), stat: handle.stat };
  } finally {
    fs.closeSync(handle.fd);
  }
}

export interface ReadRange {
  /** A larger file is refused, unless only a part is asked for. */
  readonly maxBytes: number;
  readonly start?: number;
  readonly length?: number;
}

export interface FileContent {
  readonly bytes: Buffer;
  /** Of the whole file. */
  readonly size: number;
}

export function readRegular(place: Place, range: ReadRange): FileContent {
  const { fd, stat } = openRegular(place);
  try {
    const start = range.start ?? 0;
    const wanted = Math.min(range.length ?? stat.size, Math.max(0, stat.size - start));
    if (wanted > range.maxBytes) {
      throw new Refusal(
        'fs.too-large',
        `${place.shown} has ${stat.size} bytes, more than the ${range.maxBytes} that can be read; search in it instead.`,
      );
    }
    const bytes = Buffer.allocUnsafe(wanted);
    let filled = 0;
    while (filled < wanted) {
      const count = fs.readSync(fd, bytes, filled, wanted - filled, start + filled);
      if (count === 0) break;
      filled += count;
    }
    return { bytes: bytes.subarray(0, filled), size: stat.size };
  } finally {
    fs.closeSync(fd);
  }
}

/** What stands at the place, without opening it; undefined when nothing does. */
export function statPlace(place: Place): fs.Stats | undefined {
  if (place.name === '.') return fs.fstatSync(place.folder.fd);
  return fs.lstatSync(locate(place.folder, place.name), { throwIfNoEntry: false });
}

/** Refuses everything but a regular file with exactly one name. */
export function requireRegular(stat: fs.Stats, shown: string): void {
  if (stat.isDirectory()) throw new Refusal('fs.not-a-file', `${shown} is a folder, not a file; use fs.list to see into it.`);
  if (stat.isSymbolicLink()) {
    throw new Refusal('fs.symlink', `${shown} is a symbolic link, which is never followed because it can lead outside; use the real path.`);
  }
  if (!stat.isFile()) throw new Refusal('fs.special', `${shown} is a device, FIFO or socket; only regular files can be used.`);
  if (stat.nlink > 1) {
    throw new Refusal(
      'fs.hard-link',
      `${shown} has ${stat.nlink} names (hard links), one of which may be outside; copy it to a file of its own.`,
    );
  }
}

function checked(fd: number, folder: Directory, shown: string): { readonly fd: number; readonly stat: fs.Stats } {
  try {
    const stat = fs.fstatSync(fd);
    requireRegular(stat, shown);
    if (stat.dev !== folder.dev && folder.isPinned) refuseKernelFiles(locateFd(fd), shown);
    return { fd, stat };
  } catch (thrown) {
    fs.closeSync(fd);
    throw thrown;
  }
}
