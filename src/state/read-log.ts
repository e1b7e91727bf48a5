import fs from 'node:fs';
import { listSegments } from './segments.ts';
import { readTail as readFileTail } from './log/open-file.ts';

/** The end of a log as it lies on the disk. */
export interface LogTail {
  readonly lastLine: string | undefined;
  /** Bytes behind the last newline: a line that a crash tore, or damage. */
  readonly torn: Buffer;
}

/** The last whole line of a file and what stands behind it; a missing file is empty. */
export function readTail(file: string): LogTail {
  return fs.existsSync(file) ? readFileTail(file) : { lastLine: undefined, torn: Buffer.alloc(0) };
}

/** Looks at the end of a log without opening it for writing: nothing is cut. A missing folder is an empty log. */
export function readLogTail(dir: string): LogTail {
  const segments = fs.existsSync(dir) ? listSegments(dir) : [];
  const last = segments.at(-1);
  if (last === undefined) return { lastLine: undefined, torn: Buffer.alloc(0) };
  const tail = readTail(last.file);
  const before = segments.at(-2);
  // A crash can leave an empty last segment: what counts is then the end of the one before.
  if (tail.lastLine !== undefined || before === undefined) return tail;
  return { lastLine: readTail(before.file).lastLine, torn: tail.torn };
}
