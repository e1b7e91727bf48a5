import { LeaseLostError } from '../contracts/lease-lost-error.ts';

/** Why a run was told to stop; the reason of its AbortSignal. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped';
  /** `released`: it does not end; whoever takes it next goes on. */
  readonly why: 'cancelled' | 'timed-out' | 'released';

  constructor(why: RunStopped['why']) {
    super(sentences[why]);
    this.why = why;
  }
}

const sentences = {
  cancelled: 'The run was stopped.',
  'timed-out': 'The run reached its time limit.',
  released: 'The run was given back: whoever takes it next goes on with it.',
} as const;

export function isRunCancelled(signal: AbortSignal): boolean {
  return signal.aborted && !isRunTimedOut(signal) && !isRunReleased(signal);
}

export function isRunTimedOut(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof RunStopped && signal.reason.why === 'timed-out';
}

/** This process works on the run no longer, and the run goes on elsewhere: it gets no end. */
export function isRunReleased(signal: AbortSignal): boolean {
  const reason: unknown = signal.reason;
  return signal.aborted && (reason instanceof LeaseLostError || (reason instanceof RunStopped && reason.why === 'released'));
}
