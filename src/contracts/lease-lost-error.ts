import { ClawholdError } from './errors.ts';

/** Whoever held the task does not any more: nothing of what it still has in hand may be done or written. */
export class LeaseLostError extends ClawholdError {
  override readonly name = 'LeaseLostError';
  readonly code = 'state.lease-lost';
  readonly remedy = 'give-up';
  readonly task: string;

  constructor(task: string, options?: ErrorOptions) {
    super(
      `Task ${task} is no longer leased to this worker: its lease ran out or was given on, and another worker may hold it. Stop working on it.`,
      options,
    );
    this.task = task;
  }
}
