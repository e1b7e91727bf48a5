/** Why a run was told to stop; the reason of its AbortSignal. */
export class RunStopped extends Error {
  override readonly name = 'RunStopped';
  readonly why: 'cancelled' | 'timed-out';

  constructor(why: 'cancelled' | 'timed-out') {
    super(why === 'cancelled' ? 'The run was stopped.' : 'The run reached its time limit.');
    this.why = why;
  }
}

export function isRunCancelled(signal: AbortSignal): boolean {
  return signal.aborted && !(signal.reason instanceof RunStopped && signal.reason.why === 'timed-out');
}

export function isRunTimedOut(signal: AbortSignal): boolean {
  return signal.aborted && signal.reason instanceof RunStopped && signal.reason.why === 'timed-out';
}
