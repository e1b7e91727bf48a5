import { createHash } from 'node:crypto';
import fs from 'node:fs';

export interface HashedFile {
  readonly bytes: number;
  readonly sha256: string;
  readonly mode: number;
}

/** The hash of a regular file; undefined when there is none, or a link. */
export function hashFile(file: string): HashedFile | undefined {
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
    for (let read = fs.readSync(fd, buffer); read > 0; read = fs.readSync(fd, buffer)) {
      hash.update(buffer.subarray(0, read));
      bytes += read;
    }
    return { bytes, sha256: hash.digest('hex'), mode: facts.mode & 0o755 };
  } finally {
    fs.closeSync(fd);
  }
}
