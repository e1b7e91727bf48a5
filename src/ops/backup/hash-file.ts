import { createHash } from 'node:crypto';
import fs from 'node:fs';
import { setImmediate } from 'node:timers/promises';

export interface HashedFile {
  readonly bytes: number;
  readonly sha256: string;
  readonly mode: number;
}

/** After so many bytes others have their turn, signals too. */
const turnBytes = 32 * 1024 * 1024;

/** The hash of the bytes that a regular file has when it is opened; undefined when there is none, or a link. */
export async function hashFile(file: string): Promise<HashedFile | undefined> {
  let fd: number;
  try {
    fd = fs.openSync(file, fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
  try {
    const facts = fs.fstatSync(fd);
    if (!facts.isFile()) return undefined;
    const hash = createHash('sha256');
    const buffer = Buffer.allocUnsafe(Math.min(1024 * 1024, Math.max(facts.size, 1)));
    let bytes = 0;
    while (bytes < facts.size) {
      const read = fs.readSync(fd, buffer, 0, Math.min(buffer.length, facts.size - bytes), null);
      if (read === 0) break;
      hash.update(buffer.subarray(0, read));
      bytes += read;
      if (bytes % turnBytes === 0) await setImmediate();
    }
    return { bytes, sha256: hash.digest('hex'), mode: facts.mode & 0o755 };
  } finally {
    fs.closeSync(fd);
  }
}
