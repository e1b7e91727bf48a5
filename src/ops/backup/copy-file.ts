import { createHash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';

const chunkBytes = 1024 * 1024;

export interface CopiedFile {
  readonly bytes: number;
  readonly sha256: string;
  readonly mode: number;
}

export interface CopyFileOptions {
  /** Default: that of the original. */
  readonly mode?: number;
  /** Resolves when the bytes are on the disk. Default false. */
  readonly isDurable?: boolean;
}

/**
 * Copies a file and says what was copied: at most the bytes that it had when it was opened, so that a growing one
 * ends. No link is followed, and `to` must not exist. Undefined when `from` is gone or no file any more.
 */
export async function copyFile(from: string, to: string, options: CopyFileOptions = {}): Promise<CopiedFile | undefined> {
  const { mode, isDurable = false } = options;
  await using source = await openSource(from);
  if (source === undefined) return undefined;
  const facts = await source.handle.stat();
  if (!facts.isFile()) return undefined;
  await fs.promises.mkdir(path.dirname(to), { recursive: true, mode: 0o700 });
  const kept = mode ?? facts.mode & 0o755;
  await using target = await fs.promises.open(to, 'wx', kept);
  const hash = createHash('sha256');
  const buffer = Buffer.allocUnsafe(Math.min(chunkBytes, Math.max(facts.size, 1)));
  let copied = 0;
  while (copied < facts.size) {
    const { bytesRead } = await source.handle.read(buffer, 0, Math.min(buffer.length, facts.size - copied), copied);
    if (bytesRead === 0) break;
    const part = buffer.subarray(0, bytesRead);
    hash.update(part);
    await target.writeFile(part);
    copied += bytesRead;
  }
  await target.chmod(kept);
  if (isDurable) await target.sync();
  return { bytes: copied, sha256: hash.digest('hex'), mode: kept };
}

async function openSource(file: string): Promise<({ readonly handle: fs.promises.FileHandle } & AsyncDisposable) | undefined> {
  try {
    // Not to wait on a FIFO that was put there meanwhile.
    const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
    const handle = await fs.promises.open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK);
    return { handle, [Symbol.asyncDispose]: async () => await handle.close() };
  } catch (error) {
    if (['ENOENT', 'ELOOP', 'ENXIO', 'ENOTDIR'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}
