import { ClawholdError } from '../contracts/errors.ts';

/** A sandbox could not be set up as it was asked for. Nothing was executed. */
export class SandboxUnavailableError extends ClawholdError {
  override readonly name = 'SandboxUnavailableError';
  readonly code = 'sandbox.unavailable';
  readonly remedy = 'ask-human';
  readonly driver: string;

  constructor(driver: string, reason: string, remedy: string, options?: ErrorOptions) {
    super(`Sandbox ${driver} cannot be started: ${sentence(reason)} ${sentence(remedy)}`, options);
    this.driver = driver;
  }
}

/** The sandbox ended before or while the command ran; what the command had done by then is unknown. */
export class SandboxGoneError extends ClawholdError {
  override readonly name = 'SandboxGoneError';
  readonly code = 'sandbox.gone';
  readonly remedy = 'ask-human';
  readonly sandboxId: string;

  constructor(sandboxId: string, reason: string, options?: ErrorOptions) {
    super(
      `Sandbox ${sandboxId} is gone: ${sentence(reason)} Look at what the command left in the workspace, then start a new one.`,
      options,
    );
    this.sandboxId = sandboxId;
  }
}

/** The request itself cannot be carried out by any sandbox: nothing was executed. */
export class SandboxRequestError extends ClawholdError {
  override readonly name = 'SandboxRequestError';
  readonly code = 'sandbox.bad-request';
  readonly remedy = 'fix-request';

  constructor(what: string, why: string, todo: string, options?: ErrorOptions) {
    super(`${sentence(what)} ${sentence(why)} ${sentence(todo)}`, options);
  }
}

function sentence(text: string): string {
  const line = text.trim();
  return /[.!?]$/.test(line) ? line : `${line}.`;
}
