import type { Command } from 'commander';
import type { App } from './app.ts';
import type { Io } from './io.ts';
import type { ExitCode } from './exit-codes.ts';

/** What a command works with. */
export interface CommandContext {
  readonly app: App;
  readonly io: Io;
  /** Aborted by the first Ctrl-C. */
  readonly signal: AbortSignal;
  /** The shell's answer; 0 unless the command says otherwise. */
  exit(code: ExitCode): void;
}

/** A file in `commands/` exports one of these; it is loaded only when its verb is used. */
export interface CliCommand {
  configure(command: Command, context: CommandContext): void;
}

/** Prints a result: one JSON document for programs, or the text for people. */
export function printResult(io: Io, document: object, text: string): void {
  if (io.isJson) io.out(`${JSON.stringify({ ok: true, ...document })}\n`);
  else if (text !== '') io.out(text.endsWith('\n') ? text : `${text}\n`);
}
