import { hash, randomBytes } from 'node:crypto';
import { rename, writeFile } from 'node:fs/promises';
import path from 'node:path';

/**
 * The system call filter as a file, since bwrap reads it from a descriptor: a file needs no one to write at each start.
 * Named by its content, so that another filter is another file; written anew, whole, whatever stands there. To be opened
 * afresh for each bwrap, which reads to its end.
 */
export async function prepareFilter(runtimeDir: string, filter: Uint8Array): Promise<string> {
  const file = path.join(runtimeDir, `filter-${hash('sha256', filter).slice(0, 16)}`);
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, filter, { mode: 0o400, flag: 'wx' });
  await rename(draft, file);
  return file;
}
