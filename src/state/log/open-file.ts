import fs from 'node:fs';
import type { OpenedFile } from './append-file.ts';

const { O_RDWR, O_APPEND, O_NOFOLLOW } = fs.constants;
const forAppending = O_RDWR | O_APPEND | (O_NOFOLLOW ?? 0);

export interface RecoveredFile extends OpenedFile {
  /** Bytes of a torn last line that were cut off. */
  readonly droppedBytes: number;
  readonly isNew: boolean;
}

/**
 * Opens a file of lines for appending (mode 0600) and cuts off a last line without its newline: a crash left it, and
 * nobody was told that it is durable. The cut is durable before anything is appended behind it.
 */
export function openForAppend(file: string): RecoveredFile {
  const made = make(file);
  if (made !== undefined) return { file, fd: made, size: 0, droppedBytes: 0, isNew: true };
  const fd = fs.openSync(file, forAppending, 0o600);
  try {
    const total = fs.fstatSync(fd).size;
    const size = endOfLastLine(fd, total);
    if (size < total) {
      fs.ftruncateSync(fd, size);
      fs.fsyncSync(fd);
    }
    return { file, fd, size, droppedBytes: total - size, isNew: false };
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

/** Undefined when something stands there: also a link that leads nowhere, which is not followed. */
function make(file: string): number | undefined {
  try {
    return fs.openSync(file, forAppending | fs.constants.O_CREAT | fs.constants.O_EXCL, 0o600);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  }
}

/** The last whole line of a file, and what stands behind its newline. */
export function readTail(file: string): { readonly lastLine: string | undefined; readonly torn: Buffer } {
  const fd = fs.openSync(file, 'r');
  try {
    const total = fs.fstatSync(fd).size;
    const end = endOfLastLine(fd, total);
    const torn = readRange(fd, end, total);
    if (end === 0) return { lastLine: undefined, torn };
    return { lastLine: readRange(fd, endOfLastLine(fd, end - 1), end - 1).toString('utf8'), torn };
  } finally {
    fs.closeSync(fd);
  }
}

function readRange(fd: number, from: number, to: number): Buffer {
  const bytes = Buffer.alloc(to - from);
  const got = fs.readSync(fd, bytes, 0, bytes.length, from);
  return bytes.subarray(0, got);
}

/** The offset behind the last newline before `end`, searched backwards. */
function endOfLastLine(fd: number, end: number): number {
  const chunk = Buffer.alloc(Math.min(65_536, end));
  for (let to = end; to > 0;) {
    const from = Math.max(0, to - chunk.length);
    const got = fs.readSync(fd, chunk, 0, to - from, from);
    const at = chunk.subarray(0, got).lastIndexOf(10);
    if (at >= 0) return from + at + 1;
    to = from;
  }
  return 0;
}
