import { ClawholdError, reasonOf, RetryableError } from '../contracts/errors.ts';

/** Does file work; a failure of the file system becomes one that says what could not be written and what to do. */
export function orNotWritable<T>(what: string, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw notWritable(what, error);
  }
}

/** The failure for something that the file system refused; failures of our own pass as they are. */
export function notWritable(what: string, cause: unknown): Error {
  if (cause instanceof ClawholdError || typeof (cause as NodeJS.ErrnoException | undefined)?.code !== 'string') return cause as Error;
  return new RetryableError(
    'state.not-writable',
    `${what} cannot be written: ${reasonOf(cause)}. Nothing that depends on it was done; make the folder writable or make room, then try again.`,
    { cause },
  );
}
