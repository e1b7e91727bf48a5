import assert from 'node:assert/strict';
import { makeDurableDir, syncDirectory } from '../durable-dir.ts';
import type { Log } from '../log.ts';
import { readLogTail } from '../read-log.ts';
import { listSegments, segmentAt } from '../segments.ts';
import { AppendFile, type AppendIo, type OpenedFile } from './append-file.ts';
import { openForAppend, type RecoveredFile } from './open-file.ts';

const defaultSegmentBytes = 64 * 1024 * 1024;

export interface JsonlLogOptions {
  readonly dir: string;
  readonly maxSegmentBytes?: number;
  readonly io?: AppendIo;
}

/**
 * Segments in one folder. A new segment is made only when everything in the one before is durable, and its name is
 * durable before its first line is: a crash can therefore leave an empty last segment, but never a line whose
 * predecessor is missing.
 */
export function openJsonlLog(options: JsonlLogOptions): Log {
  const { dir, maxSegmentBytes = defaultSegmentBytes } = options;
  makeDurableDir(dir);
  const segments = listSegments(dir);
  let current = segments.at(-1) ?? segmentAt(dir, 1);
  const opened = openSegment(dir, current.file);
  const { lastLine } = readLogTail(dir);
  const rotate = (now: OpenedFile): OpenedFile | undefined => {
    if (now.size < maxSegmentBytes) return undefined;
    current = segmentAt(dir, current.number + 1);
    return openSegment(dir, current.file);
  };
  const file = new AppendFile(opened, { rotate, lonelyInPlace: true, ...(options.io === undefined ? {} : { io: options.io }) });
  return {
    droppedBytes: opened.droppedBytes,
    lastLine,
    append: (line) => {
      assert(!line.includes('\n'), 'a line of a log holds no newline');
      return file.append(line);
    },
    [Symbol.asyncDispose]: () => file.close(),
  };
}

function openSegment(dir: string, file: string): RecoveredFile {
  const opened = openForAppend(file);
  if (opened.isNew) syncDirectory(dir);
  return opened;
}
