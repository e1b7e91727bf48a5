import { ClawholdError, type Remedy } from '../contracts/errors.ts';
import type { QuotaUse } from '../contracts/admission.ts';

export interface RefusalOptions extends ErrorOptions {
  /** Default `fix-request`. */
  readonly remedy?: Remedy;
  /** After how many seconds the same request may be tried again. */
  readonly retryAfterSeconds?: number;
  readonly quota?: QuotaUse;
}

/** The gateway does not do what a request asks for; the client is at fault, or must come back later. */
export class RequestRefusedError extends ClawholdError {
  override readonly name = 'RequestRefusedError';
  readonly code: string;
  readonly status: number;
  readonly remedy: Remedy;
  readonly retryAfterSeconds: number | undefined;
  readonly quota: QuotaUse | undefined;

  constructor(status: number, code: string, message: string, options: RefusalOptions = {}) {
    super(message, options);
    this.status = status;
    this.code = code;
    this.remedy = options.remedy ?? 'fix-request';
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.quota = options.quota;
  }

  /** Written for clients, and names paths of URLs. */
  override get publicMessage(): string {
    return this.message;
  }
}

/** The one answer for what is not there and for what belongs to another tenant: nobody can tell the two apart. */
export function unknownThing(what: string, id: string): RequestRefusedError {
  const code = 'gateway.not-found';
  return new RequestRefusedError(
    404,
    code,
    `There is no ${what} ${JSON.stringify(id.slice(0, 80))} here. Check the name, and whose token this is.`,
  );
}
