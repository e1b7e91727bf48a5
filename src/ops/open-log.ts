import fs from 'node:fs';
import { destination, pino, type DestinationStream } from 'pino';
import type { Log, LogFields } from '../contracts/log.ts';
import { writeLines, type LineWriter } from './log/write-lines.ts';

export const logLevels = ['debug', 'info', 'warn', 'error'] as const;
export type LogLevel = (typeof logLevels)[number];

/** A log that is open: its lines are on their way when it is disposed. */
export interface OpenLog extends Log, Disposable {
  /** For every log that was made from this one, too. */
  setLevel(level: LogLevel): void;
}

export interface LogOptions {
  /** Default `info`. */
  readonly level?: LogLevel;
  /** Where whole lines go, newline included. */
  readonly write?: (line: string) => void;
  /** Without `write`. Default 2, standard error. */
  readonly fd?: number;
  /** Hides secrets in messages and in string fields. */
  readonly redact?: (text: string) => string;
  /** Fields of every line, such as the process's role. */
  readonly fields?: LogFields;
}

/** A line of log is for searching; what is longer is in the run's record. */
const maxTextLength = 8192;
/** What a reader that has stopped may cost: beyond, lines are dropped, for a log must not stop the server. */
const maxWaitingBytes = 4 * 1024 * 1024;

/**
 * Opens a log of JSON lines: `time` (ISO 8601), `level`, `msg`, then fields by their wire names.
 *
 * Contract: a line is one line whatever the message holds, and nothing in it steers a terminal; every text is hidden
 * by `redact` before it is cut or written, and when `redact` fails the text is left out, not let through; fields cannot
 * take the place of `time`, `level` and `msg`; a reader that does not read stops nobody, and of a pipe not the end either.
 */
export function openLog(options: LogOptions = {}): OpenLog {
  const { write, fd = 2, level = 'info', fields = {} } = options;
  const lines: LineWriter = write === undefined ? openLines(fd) : { write, close: () => {} };
  const stream: DestinationStream = { write: (line) => lines.write(escapeHidden(line)) };
  const logger = pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
  const clean = cleaner(options.redact ?? ((text) => text));
  return {
    ...logWith({ emit: (at, message, given) => logger[at](given, message), clean, isOn: (at) => logger.isLevelEnabled(at) }, fields),
    setLevel: (wanted) => void (logger.level = wanted),
    [Symbol.dispose]: () => lines.close(),
  };
}

interface LogParts {
  readonly emit: (level: LogLevel, message: string, fields: Record<string, unknown>) => void;
  readonly isOn: (level: LogLevel) => boolean;
  readonly clean: (text: string) => string;
}

function logWith(parts: LogParts, bound: LogFields): Log {
  const say =
    (level: LogLevel) =>
    (message: string, fields: LogFields = {}): void => {
      if (!parts.isOn(level)) return;
      const all: Record<string, unknown> = {};
      for (const [name, value] of Object.entries({ ...bound, ...fields })) {
        if (value === undefined) continue;
        all[reserved.has(name) ? `field_${name}` : name] = typeof value === 'string' ? parts.clean(value) : value;
      }
      parts.emit(level, parts.clean(message), all);
    };
  return {
    debug: say('debug'),
    info: say('info'),
    warn: say('warn'),
    error: say('error'),
    with: (fields) => logWith(parts, { ...bound, ...fields }),
  };
}

const reserved: ReadonlySet<string> = new Set(['time', 'level', 'msg']);

/** Hides first and cuts then: half a secret is still one. */
function cleaner(redact: (text: string) => string): (text: string) => string {
  return (text) => {
    let hidden: string;
    try {
      hidden = redact(text);
    } catch {
      // silent-ok: the line says that its text is missing, and the event is not lost.
      return '[text left out: it could not be redacted]';
    }
    return hidden.length <= maxTextLength ? hidden : `${hidden.slice(0, maxTextLength)}… (${hidden.length} letters)`;
  };
}

/** JSON escapes C0 controls only; C1, separators, invisible and direction marks steer a terminal or a reader as well. */
function escapeHidden(line: string): string {
  return line.replaceAll(
    /[\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g,
    (letter) => `\\u${letter.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

/**
 * A pipe or terminal is opened once more, as one that never blocks: a reader that has stopped would hold the server, and
 * keep it from ending. What cannot be opened again (a socket) is written by another thread.
 */
function openLines(fd: number): LineWriter {
  const kind = fs.fstatSync(fd);
  if (kind.isFile()) return writeLines(fd, { maxWaitingBytes, isOwn: false });
  const own = kind.isFIFO() || kind.isCharacterDevice() ? openAgain(fd) : undefined;
  return own === undefined ? writeByThread(fd) : writeLines(own, { maxWaitingBytes, isOwn: true });
}

function openAgain(fd: number): number | undefined {
  const { O_WRONLY, O_NONBLOCK, O_NOCTTY } = fs.constants;
  try {
    return fs.openSync(`/proc/self/fd/${fd}`, O_WRONLY | O_NONBLOCK | O_NOCTTY);
  } catch {
    // silent-ok: no /proc, a terminal of another user, or a pipe without a reader: the thread writes, or finds that out.
    return undefined;
  }
}

function writeByThread(fd: number): LineWriter {
  const stream = destination({ fd, sync: false, maxLength: maxWaitingBytes });
  // A reader that went away ends what is logged, not what is done.
  stream.on('error', () => {});
  let isClosed = false;
  return {
    write: (line) => void (isClosed || stream.write(line)),
    close: () => {
      if (!isClosed) stream.end();
      isClosed = true;
    },
  };
}
