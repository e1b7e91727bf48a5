import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { syncDirectory } from './durable-dir.ts';
import { orNotWritable } from './not-writable.ts';

export interface WriteFileOptions {
  /** Default: the mode of the file that is replaced, else 0600. */
  readonly mode?: number;
  /** Keeps the bytes that are replaced as `<name>.bak`. Set it only when they are known to be good. */
  readonly keepBackup?: boolean;
  /** Called before each step with its name; tests stop the process there. */
  readonly beforeStep?: (step: WriteStep) => void;
}

export type WriteStep = 'write' | 'sync' | 'backup' | 'rename' | 'sync-folder';

/**
 * Replaces a file so that a crash at any moment leaves the old or the new bytes, whole: temp in the same folder, fsync,
 * backup of the old bytes (itself atomic), rename, fsync of the folder. Resolves when the new bytes are durable.
 *
 * It works synchronously: these files are small, and a half-done step between two ticks would be one more state.
 * @throws RetryableError when the file system refuses; the old file is then untouched and the temp is gone.
 */
export async function writeFileAtomic(file: string, bytes: string | Uint8Array, options: WriteFileOptions = {}): Promise<void> {
  orNotWritable(file, () => replaceFile(file, bytes, options));
}

function replaceFile(file: string, bytes: string | Uint8Array, options: WriteFileOptions): void {
  const beforeStep = options.beforeStep ?? (() => undefined);
  const old = fs.statSync(file, { throwIfNoEntry: false });
  const mode = options.mode ?? (old === undefined ? 0o600 : old.mode & 0o777);
  const temp = stage(file, { bytes, mode, beforeStep });
  try {
    if (options.keepBackup === true && old !== undefined) {
      beforeStep('backup');
      fs.renameSync(stage(`${file}.bak`, { bytes: fs.readFileSync(file), mode, beforeStep: () => undefined }), `${file}.bak`);
    }
    beforeStep('rename');
    fs.renameSync(temp, file);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  }
  beforeStep('sync-folder');
  syncDirectory(path.dirname(file));
}

/** Writes a durable temp beside `file` and returns its path. */
function stage(
  file: string,
  content: { readonly bytes: string | Uint8Array; readonly mode: number; readonly beforeStep: (step: WriteStep) => void },
): string {
  const temp = path.join(path.dirname(file), `.${path.basename(file)}.${randomBytes(6).toString('hex')}.tmp`);
  const fd = fs.openSync(temp, 'wx', content.mode);
  try {
    content.beforeStep('write');
    fs.writeFileSync(fd, content.bytes);
    // The mode given to open is narrowed by the umask; the replaced file's mode has to stay.
    fs.fchmodSync(fd, content.mode);
    content.beforeStep('sync');
    fs.fsyncSync(fd);
  } catch (error) {
    fs.rmSync(temp, { force: true });
    throw error;
  } finally {
    fs.closeSync(fd);
  }
  return temp;
}
