/** What the caller may do about a failure. The queue, the CLI and the HTTP door all read it. */
export type Remedy = 'retry' | 'fix-request' | 'ask-human' | 'give-up';

/**
 * Every failure that Clawhold throws on purpose.
 *
 * `code` is stable and dotted (`room.what-happened`): programs branch on it. `message` is one sentence in three
 * parts: what happened with which value, why, what to do now. `publicMessage` is what a tenant may see.
 */
export abstract class ClawholdError extends Error {
  abstract readonly code: string;
  abstract readonly remedy: Remedy;

  get publicMessage(): string {
    if (this.remedy === 'fix-request' && ofFiles.test(this.code)) return invalidFile;
    return namesPlace(this.message) ? hiddenPlace : this.message;
  }
}

/** A mistake in a file that a human wrote: the line may be in the platform's own. */
const ofFiles = /^(?:config|governance)\./;
const invalidFile = 'A configuration or a policy is not valid. Whoever runs this installation finds in the log which one and why.';

/** Instead of a message that says where something lies on this machine. */
const hiddenPlace =
  'A file or folder of this installation is not as it must be. Whoever runs this installation finds in the log which one and why.';

/** Whether a text names an absolute path. One that only looks so costs a clearer sentence, one that is missed tells where things lie. */
export function namesPlace(text: string): boolean {
  return /(?:^|[\s"'`([{=:,;<>|])\/[\w.@~+-]|[a-z]:\/\/\/|file:\/\//.test(text);
}

/** What a tenant may see of any thrown value: of an error that nobody threw on purpose, nothing. */
export function publicReasonOf(thrown: unknown): string {
  return thrown instanceof ClawholdError ? thrown.publicMessage : 'an error that nobody expected, which the log has';
}

/** A failure of the surroundings in its own words, as long as these name no place. */
export function placelessReasonOf(thrown: unknown): string {
  if (thrown instanceof ClawholdError) return thrown.publicMessage;
  const reason = reasonOf(thrown);
  return namesPlace(reason) ? hiddenPlace : reason;
}

export interface FixRequestOptions extends ErrorOptions {
  /** The same in words that say nothing of where things lie. */
  readonly publicMessage?: string;
}

/** The request, the configuration or a file a human wrote is wrong: nothing was done, correct it and try again. */
export class FixRequestError extends ClawholdError {
  override readonly name = 'FixRequestError';
  readonly code: string;
  readonly remedy = 'fix-request';
  readonly #publicMessage: string | undefined;

  constructor(code: string, message: string, options: FixRequestOptions = {}) {
    super(message, options);
    this.code = code;
    this.#publicMessage = options.publicMessage;
  }

  override get publicMessage(): string {
    return this.#publicMessage ?? super.publicMessage;
  }
}

/** A failure of the surroundings (disk, provider, another process) that may pass: the same request can be tried again. */
export class RetryableError extends ClawholdError {
  override readonly name = 'RetryableError';
  readonly code: string;
  readonly remedy = 'retry';

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** A state that must not be repaired without a human: damaged records, a lost lease, a broken invariant of stored data. */
export class AskHumanError extends ClawholdError {
  override readonly name = 'AskHumanError';
  readonly code: string;
  readonly remedy = 'ask-human';

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Nothing the caller does will help. */
export class GiveUpError extends ClawholdError {
  override readonly name = 'GiveUpError';
  readonly code: string;
  readonly remedy = 'give-up';

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** One line for a human about any thrown value, for use as the "why" of a wrapping error. */
export function reasonOf(thrown: unknown): string {
  if (thrown instanceof Error) return thrown.message;
  return String(thrown);
}
