import { ClawholdError } from '../contracts/errors.ts';

/** What a finished command tells the shell. Documented in docs/CONTRACTS.md; the numbers are a contract. */
export const exitCodes = {
  done: 0,
  error: 1,
  usage: 2,
  denied: 3,
  approvalNeeded: 4,
  sandboxUnavailable: 5,
  ledgerFailed: 6,
  limitReached: 7,
  timedOut: 124,
  interrupted: 130,
} as const;
export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes];

/** The exit code of a run that ended in a state. */
export function exitCodeOfRun(outcome: { readonly state: string; readonly code?: string }): ExitCode {
  if (outcome.state === 'done') return exitCodes.done;
  if (outcome.state === 'denied') return exitCodes.denied;
  if (outcome.state === 'waiting') return exitCodes.approvalNeeded;
  if (outcome.state === 'limited') return outcome.code === 'limit.seconds' ? exitCodes.timedOut : exitCodes.limitReached;
  if (outcome.state === 'cancelled') return exitCodes.interrupted;
  return exitCodes.error;
}

/** The exit code of a thrown failure: what a human must correct is 2, everything else 1. */
export function exitCodeOfError(error: unknown): ExitCode {
  if (!(error instanceof ClawholdError)) return exitCodes.error;
  if (error.code.startsWith('sandbox.')) return exitCodes.sandboxUnavailable;
  if (error.code.startsWith('ledger.verify')) return exitCodes.ledgerFailed;
  return error.remedy === 'fix-request' ? exitCodes.usage : exitCodes.error;
}
