import { ClawholdError, reasonOf } from '../contracts/errors.ts';
import { makeVisible } from '../governance/visible.ts';
import { exitCodeOfError, type ExitCode } from './exit-codes.ts';
import type { Io } from './io.ts';

interface Told {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** Tells a failure once: one JSON document for programs, one sentence for people; gives the exit code. */
export function report(io: Io, error: unknown): ExitCode {
  if (error instanceof ClawholdError) print(io, { code: error.code, message: error.message, remedy: error.remedy });
  else if (isSystemError(error)) print(io, { code: 'cli.disk', message: systemSentence(error), remedy: 'retry' });
  else {
    print(io, { code: 'cli.unexpected', message: reasonOf(error), remedy: 'give-up' });
    if (error instanceof Error) io.err(`${error.stack ?? ''}\n`);
  }
  return exitCodeOfError(error);
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
