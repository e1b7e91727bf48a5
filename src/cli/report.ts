import { CommanderError } from 'commander';
import { ClawholdError, reasonOf } from '../contracts/errors.ts';
import { makeVisible } from '../governance/visible.ts';
import { exitCodeOfError, exitCodes, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

interface Told {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Tells a failure once: one JSON document for programs, one sentence for people; gives the exit code. */
export function report(io: Io, error: unknown, argv: readonly string[]): ExitCode {
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return exitCodes.done;
    print(io, { code: 'cli.usage', message: usageSentence(error, argv), remedy: 'fix-request' });
    return exitCodes.usage;
  }
  if (error instanceof ClawholdError) print(io, { code: error.code, message: error.message, remedy: error.remedy });
  else if (isSystemError(error)) print(io, { code: 'cli.disk', message: systemSentence(error), remedy: 'retry' });
  else {
    print(io, { code: 'cli.unexpected', message: reasonOf(error), remedy: 'give-up' });
    if (error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  }
  return exitCodeOfError(error);
}

function usageSentence(error: CommanderError, argv: readonly string[]): string {
  const verb = argv.find((word) => !word.startsWith('-')) ?? '';
  if (error.code === 'commander.help') return `clawhold ${verb} needs a sub-command. See clawhold ${verb} --help.`;
  const said = error.message.replace(/^error: /, '').replaceAll(/\s+/g, ' ');
  return `${said}${/[.!?)]$/.test(said) ? '' : '.'} See --help.`;
}

const systemCodes: ReadonlySet<string> = new Set([
  'EACCES',
  'EPERM',
  'EROFS',
  'ENOSPC',
  'EDQUOT',
  'EMFILE',
  'ENFILE',
  'EIO',
  'ERR_SQLITE_ERROR',
]);

/**
 * The disk or its permissions said no: nothing is wrong with the program, and a stack would help nobody. Making a folder
 * on a read-only disk is said to be ENOENT.
 */
function isSystemError(error: unknown): error is NodeJS.ErrnoException & { readonly code: string } {
  if (!(error instanceof Error)) return false;
  const { code, syscall } = error as NodeJS.ErrnoException;
  return code !== undefined && (systemCodes.has(code) || (code === 'ENOENT' && syscall === 'mkdir'));
}

function systemSentence(error: NodeJS.ErrnoException): string {
  return `The disk or the system refused it: ${error.message}. Make room, or give this user the right to write there, then try again.`;
}

function print(io: Io, error: Told): void {
  if (io.isJson) io.out(`${JSON.stringify({ ok: false, error })}\n`);
  else io.err(`${io.color.red('clawhold:')} ${makeVisible(error.message, { keepLines: true })}\n`);
}
