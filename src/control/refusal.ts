import type { Admission } from '../contracts/admission.ts';
import { ClawholdError, reasonOf } from '../contracts/errors.ts';
import type { Log, LogFields } from '../contracts/log.ts';

export type Refused = Extract<Admission, { outcome: 'refused' }>;

export function refused(code: string, message: string): Refused {
  return { outcome: 'refused', code, message };
}

/**
 * A mistake in a file is an answer to who asked, in words that name no place of this machine; the log has the rest.
 * @throws the error when it is none of that: the surroundings failed, or a bug.
 */
export function refusedByError(
  log: Log,
  error: unknown,
  { code, message, fields }: { readonly code: string; readonly message: string; readonly fields: LogFields },
): Refused {
  if (!(error instanceof ClawholdError) || error.remedy !== 'fix-request') throw error;
  log.warn('a run was refused', { ...fields, code: error.code, reason: reasonOf(error) });
  return refused(code, message);
}
