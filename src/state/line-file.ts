import fs from 'node:fs';
import path from 'node:path';
import { makeDurableDir, syncDirectories, type SharedSync } from './durable-dir.ts';
import { AppendFile, type AppendIo } from './log/append-file.ts';
import { openForAppend } from './log/open-file.ts';
import { orNotWritable } from './not-writable.ts';

/** One file of lines, open for its one writer. */
export interface LineFile extends AsyncDisposable {
  readonly file: string;
  /** Bytes of whole lines that stood there when it was opened. */
  readonly size: number;
  /** Bytes of a torn last line that were cut off. */
  readonly droppedBytes: number;
  /** Resolves when the line is durable; lines stand in the order of the calls. */
  append(line: string): Promise<void>;
}

export interface LineFileOptions {
  readonly io?: AppendIo;
  /** Called right before each write: when it throws, nothing is written. */
  readonly guard?: () => void;
  /** The process does nothing else meanwhile, as a command for one run: then syncs in place save the way to another thread. */
  readonly lonelyInPlace?: boolean;
  /** Of the folders above the file's own, which other files get new folders in at the same time. */
  readonly syncShared?: SharedSync | undefined;
}

/** Opens a file of lines, makes it and its folder when missing (0600, 0700), and cuts a torn last line off. */
export function openLineFile(file: string, options: LineFileOptions = {}): LineFile {
  const { changed, opened } = orNotWritable(file, () => ({ changed: makeFolder(path.dirname(file)), opened: openForAppend(file) }));
  const ready = opened.isNew ? syncNames(path.dirname(file), changed, options.syncShared) : undefined;
  const target = new AppendFile(opened, { ...options, ...(ready === undefined ? {} : { ready }) });
  return {
    file,
    size: opened.size,
    droppedBytes: opened.droppedBytes,
    append: (line) => target.append(line),
    [Symbol.asyncDispose]: () => target.close(),
  };
}

async function syncNames(own: string, above: readonly string[], shared: SharedSync | undefined): Promise<void> {
  if (shared === undefined) await syncDirectories([own, ...above]);
  else await Promise.all([syncDirectories([own]), ...above.map((dir) => shared(dir))]);
}

/**
 * The folder of a file; returns the one that got its name and is to be synced. What is above that is made durable at
 * once: another file's folder that comes into it meanwhile relies on it.
 */
function makeFolder(dir: string): string[] {
  try {
    fs.mkdirSync(dir, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') return [];
    if (code !== 'ENOENT') throw error;
    makeDurableDir(path.dirname(dir));
    fs.mkdirSync(dir, { mode: 0o700 });
  }
  return [path.dirname(dir)];
}
