import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import { walkFiles } from './walk-files.ts';

/** Bytes that a user may still write to the disk of a folder that exists. */
export type FreeBytes = (dir: string) => number;

export function freeBytesOf(dir: string): number {
  const { bavail, bsize } = fs.statfsSync(dir);
  return bavail * bsize;
}

/** For what grows while it is copied, folders, and the disk's own bookkeeping. */
const marginBytes = 16 * 1024 * 1024;
const marginPart = 0.05;

/**
 * A disk that fills up in the middle stops everything else on it, a server too: so the room is looked at before.
 * @throws FixRequestError `ops.no-room` that names what is needed and what there is.
 */
export function refuseWithoutRoom(
  what: string,
  { dir, bytes, free = freeBytesOf }: { readonly dir: string; readonly bytes: number; readonly free?: FreeBytes | undefined },
): void {
  const needed = Math.ceil(bytes * (1 + marginPart)) + marginBytes;
  const left = free(dir);
  if (left >= needed) return;
  throw new FixRequestError(
    'ops.no-room',
    `${what} needs about ${mib(needed)} MiB in ${dir}, and ${mib(left)} MiB are free there, so nothing was copied. Make room, or name a folder on another disk with --to.`,
  );
}

function mib(bytes: number): number {
  return Math.round(bytes / 2 ** 20);
}

/** Of all files below the folders, as long as they are; links are not followed. */
export async function bytesBelow(dirs: readonly string[], isWanted: (relative: string) => boolean): Promise<number> {
  let bytes = 0;
  for (const dir of dirs) {
    for await (const file of walkFiles(dir, isWanted)) {
      if (file.isFile) bytes += fs.lstatSync(path.join(dir, file.path), { throwIfNoEntry: false })?.size ?? 0;
    }
  }
  return bytes;
}
