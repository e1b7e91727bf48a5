import fs from 'node:fs';
import { escapeHidden } from '../governance/visible.ts';
import { paletteFor, type Io } from './io.ts';
import { terminalText } from './terminal-text.ts';

/** Cursor to the corner, and nothing below it: the only thing besides colours that is said to a terminal. */
const clearScreen = '\u001b[H\u001b[2J';

/** The process's own streams. Opening Node's stream objects costs 5 ms, so they are opened only when they are needed. Nothing that steers a terminal passes. */
export function processIo(wantsColor: boolean): Io {
  const isTerminal = isTerminalAt(0) && isTerminalAt(2);
  const out = writerTo(1, () => process.stdout);
  const err = writerTo(2, () => process.stderr);
  const io: Io = {
    get stdin() {
      return process.stdin;
    },
    out: (text) => out(io.isJson ? escapeHidden(text) : terminalText(text)),
    err: (text) => err(terminalText(text)),
    // Asked only by who wants it: finding out costs time at every start.
    get clear() {
      return isTerminalAt(1) ? () => out(clearScreen) : undefined;
    },
    isJson: false,
    isTerminal,
    color: paletteFor(wantsColor && isTerminalAt(2)),
  };
  return io;
}

/** Linux's number for /dev/null and its kind. */
const memoryDevices = 1;

/** Only a character device can be a terminal, and /dev/null is none; asking for more loads the network modules. */
function isTerminalAt(fd: number): boolean {
  try {
    const stat = fs.fstatSync(fd);
    if (!stat.isCharacterDevice() || (process.platform === 'linux' && stat.rdev >> 8 === memoryDevices)) return false;
    return process.getBuiltinModule('node:tty').isatty(fd);
  } catch {
    // silent-ok: a descriptor that is closed is no terminal.
    return false;
  }
}

/**
 * Writes at once, in order. A pipe that is full and does not block goes on through Node's stream; a reader that went away
 * (`| head`) ends what is printed, not what is done.
 */
function writerTo(fd: 1 | 2, open: () => NodeJS.WriteStream): (text: string) => void {
  let stream: NodeJS.WriteStream | undefined;
  let isClosed = false;
  const goOn = (rest: Uint8Array): void => {
    if (stream === undefined) {
      stream = open();
      stream.on('error', (error: NodeJS.ErrnoException) => {
        if (error.code !== 'EPIPE') throw error;
      });
    }
    stream.write(rest);
  };
  return (text) => {
    if (isClosed) return;
    const bytes = Buffer.from(text);
    if (stream !== undefined) return goOn(bytes);
    let done = 0;
    try {
      while (done < bytes.length) done += fs.writeSync(fd, bytes, done);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === 'EAGAIN') goOn(bytes.subarray(done));
      else if (code === 'EPIPE' || code === 'EBADF') isClosed = true;
      else throw error;
    }
  };
}
