import { isUtf8 } from 'node:buffer';
import { FixRequestError } from '../contracts/errors.ts';

/** Where a command reads and writes: the process's own streams, or a test's. */
export interface Io {
  readonly stdin: NodeJS.ReadStream | NodeJS.ReadableStream;
  /** Results, and nothing else. */
  out(text: string): void;
  /** Everything a person may want to know besides: progress, notices, errors. */
  err(text: string): void;
  /** Empties the screen; absent where results go to no terminal. */
  readonly clear?: (() => void) | undefined;
  /** Whether results go to programs. */
  isJson: boolean;
  /** Whether a person sits in front of both ends of stderr. */
  readonly isTerminal: boolean;
  readonly color: Palette;
}

export interface Palette {
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
  readonly red: (text: string) => string;
  readonly green: (text: string) => string;
  readonly yellow: (text: string) => string;
  readonly cyan: (text: string) => string;
}

/** Colour only on a terminal, and never where NO_COLOR is set. Source: https://no-color.org */
export function paletteFor(hasColor: boolean): Palette {
  const paint = (code: number) => (text: string) => (hasColor ? `\u001b[${code}m${text}\u001b[0m` : text);
  return { dim: paint(2), bold: paint(1), red: paint(31), green: paint(32), yellow: paint(33), cyan: paint(36) };
}

/** Reads standard input to its end, at most `maxBytes` of text. @throws FixRequestError beyond, or when it is no text. */
export async function readAll(stdin: Io['stdin'], maxBytes: number = 1024 * 1024): Promise<string> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of stdin) {
    const bytes = Buffer.from(part as Uint8Array | string);
    size += bytes.length;
    if (size > maxBytes)
      throw new FixRequestError(
        'cli.long-input',
        `Standard input holds more than the ${maxBytes} bytes that a message may have. Put the text into a file of the workspace and name it.`,
      );
    parts.push(bytes);
  }
  const bytes = Buffer.concat(parts);
  if (isUtf8(bytes) && !bytes.includes(0)) return bytes.toString('utf8');
  throw new FixRequestError(
    'cli.binary-input',
    'Standard input is not UTF-8 text, so it cannot be a message. Put the file into the workspace and name it, or convert it first.',
  );
}

/** Rows as aligned columns, for people. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths: number[] = [];
  for (const row of rows) for (const [index, cell] of row.entries()) widths[index] = Math.max(widths[index] ?? 0, cell.length);
  return rows
    .map((row) =>
      row
        .map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
}
