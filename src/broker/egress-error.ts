import { ClawholdError, reasonOf, type Remedy } from '../contracts/errors.ts';

export type EgressCode =
  | 'egress.bad-request'
  | 'egress.bad-host'
  | 'egress.bad-path'
  | 'egress.not-granted'
  | 'egress.private-address'
  | 'egress.no-such-host'
  | 'egress.server-name'
  | 'egress.plain-in-tunnel'
  | 'egress.too-large'
  | 'egress.too-slow'
  | 'egress.too-many'
  | 'egress.unreachable'
  | 'egress.bad-answer'
  | 'egress.not-recorded'
  | 'egress.no-credential'
  | 'egress.closed';

const statusOf: Readonly<Record<EgressCode, number>> = {
  'egress.bad-request': 400,
  'egress.bad-host': 403,
  'egress.bad-path': 403,
  'egress.not-granted': 403,
  'egress.private-address': 403,
  'egress.no-such-host': 502,
  'egress.server-name': 403,
  'egress.plain-in-tunnel': 403,
  'egress.too-large': 413,
  'egress.too-slow': 408,
  'egress.too-many': 429,
  'egress.unreachable': 502,
  'egress.bad-answer': 502,
  'egress.not-recorded': 503,
  'egress.no-credential': 403,
  'egress.closed': 503,
};
const passing: ReadonlySet<EgressCode> = new Set(['egress.no-such-host', 'egress.too-slow', 'egress.unreachable', 'egress.bad-answer']);

/** A request that did not leave, or an answer that did not come in whole. The message is safe to show to whoever asked. */
export class EgressError extends ClawholdError {
  override readonly name = 'EgressError';
  readonly code: EgressCode;
  readonly remedy: Remedy;
  /** What a client of the proxy gets. */
  readonly status: number;
  /** The ledger already has how it ended. */
  isRecorded = false;

  constructor(code: EgressCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
    this.status = statusOf[code];
    this.remedy = passing.has(code) ? 'retry' : 'fix-request';
  }
}

/** Any failure on the way, as one that may be shown. */
export function asEgressError(error: unknown): EgressError {
  if (error instanceof EgressError) return error;
  return new EgressError('egress.unreachable', `The connection failed: ${reasonOf(error)}. Try again.`, { cause: error });
}
