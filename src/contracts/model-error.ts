import { ClawholdError, type Remedy } from './errors.ts';
import type { ModelErrorClass } from './model.ts';

/** A model call that gave no usable answer. `code` is e.g. `models.rate-limited`, `models.bad-answer`, `models.no-key`. */
export class ModelError extends ClawholdError {
  override readonly name = 'ModelError';
  readonly code: string;
  readonly remedy: Remedy;
  readonly errorClass: ModelErrorClass;
  readonly status: number | undefined;
  /** From the provider's Retry-After, in milliseconds. */
  readonly retryAfterMs: number | undefined;

  constructor(
    code: string,
    message: string,
    facts: { readonly errorClass: ModelErrorClass; readonly status?: number; readonly retryAfterMs?: number },
    options?: ErrorOptions,
  ) {
    super(message, options);
    this.code = code;
    this.errorClass = facts.errorClass;
    this.remedy = facts.errorClass === 'non_transient' ? 'fix-request' : 'retry';
    this.status = facts.status;
    this.retryAfterMs = facts.retryAfterMs;
  }
}
