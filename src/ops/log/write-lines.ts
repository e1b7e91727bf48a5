import fs from 'node:fs';

export interface LineWriter {
  write(line: string): void;
  /** Waits for the reader of a full pipe while it reads, for a while. Nothing is written afterwards. */
  close(): void;
}

export interface LineWriterOptions {
  /** Beyond, lines are dropped. */
  readonly maxWaitingBytes: number;
  /** Closed at the end. */
  readonly isOwn: boolean;
}

interface Waiting {
  readonly fd: number;
  readonly lines: Buffer[];
  bytes: number;
}

/** A reader that is only slow takes something in this time. */
const patienceMs = 2000;
const longestEndMs = 10_000;
const pauseMs = 10;

/**
 * Writes lines to a descriptor that never blocks: a file, or a pipe or terminal that was opened so.
 *
 * Contract: lines arrive whole and in their order, at once unless nothing more fits; then they wait, and go on when
 * there is room again. One line is one write, so that short ones of several processes do not mix in one pipe. What is
 * wrong with the descriptor stops nobody: lines wait, and of a pipe without a reader they are dropped.
 */
export function writeLines(fd: number, { maxWaitingBytes, isOwn }: LineWriterOptions): LineWriter {
  const waiting: Waiting = { fd, lines: [], bytes: 0 };
  let timer: NodeJS.Timeout | undefined;
  let isOver = false;
  let isClosed = false;
  const goOn = (): void => {
    timer = undefined;
    const problem = writeWaiting(waiting);
    if (problem === 'EPIPE') isOver = true;
    else if (problem !== undefined) timer = setTimeout(goOn, pauseMs).unref();
  };
  return {
    write: (line) => {
      const bytes = Buffer.from(line);
      if (isOver || waiting.bytes + bytes.length > maxWaitingBytes) return;
      waiting.lines.push(bytes);
      waiting.bytes += bytes.length;
      if (timer === undefined) goOn();
    },
    close: () => {
      if (isClosed) return;
      isClosed = true;
      clearTimeout(timer);
      if (!isOver) writeRest(waiting);
      isOver = true;
      if (isOwn) fs.closeSync(fd);
    },
  };
}

/** The code of what stopped it; undefined when everything is written. */
function writeWaiting(waiting: Waiting): string | undefined {
  for (let line = waiting.lines[0]; line !== undefined; line = waiting.lines[0]) {
    let written: number;
    try {
      written = fs.writeSync(waiting.fd, line);
    } catch (error) {
      // silent-ok: a log that cannot be written must not stop the server; the caller decides by the code.
      return (error as NodeJS.ErrnoException).code ?? 'unknown';
    }
    waiting.bytes -= written;
    if (written === line.length) waiting.lines.shift();
    else waiting.lines[0] = line.subarray(written);
  }
  return undefined;
}

function writeRest(waiting: Waiting): void {
  const pause = new Int32Array(new SharedArrayBuffer(4));
  const endsMs = performance.now() + longestEndMs;
  let before = waiting.bytes;
  for (let stuckMs = performance.now() + patienceMs; ;) {
    if (writeWaiting(waiting) !== 'EAGAIN') return;
    const nowMs = performance.now();
    if (waiting.bytes < before) stuckMs = nowMs + patienceMs;
    if (nowMs >= Math.min(stuckMs, endsMs)) return;
    before = waiting.bytes;
    Atomics.wait(pause, 0, 0, pauseMs);
  }
}
