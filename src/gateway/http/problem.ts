import { diskCodeOf } from '../../contracts/disk-failure.ts';
import { ClawholdError, type Remedy } from '../../contracts/errors.ts';
import { RequestRefusedError } from '../request-refused-error.ts';

/** What a client is told of a failure. */
export interface Problem {
  readonly status: number;
  readonly code: string;
  readonly remedy: Remedy;
  readonly detail: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly more: Readonly<Record<string, unknown>>;
  /** Worth a line in the log with all details: the client is told none. */
  readonly isOurs: boolean;
}

/** Names that clients of every kind may branch on. */
const titles: Readonly<Record<number, string>> = {
  400: 'Bad request',
  401: 'Who are you?',
  403: 'Not allowed',
  404: 'Not found',
  408: 'Too slow',
  409: 'Conflict',
  413: 'Too large',
  414: 'Too long',
  415: 'Unsupported media type',
  417: 'Not done here',
  421: 'Wrong host',
  422: 'Cannot be done',
  429: 'Too many',
  431: 'Too large',
  500: 'Internal error',
  501: 'Not done here',
  503: 'Not available',
};

/** Codes of other rooms whose status is not the usual one of their remedy. */
const statusOfCode: Readonly<Record<string, number>> = {
  'config.invalid': 409,
  'config.syntax': 409,
  'worker.unknown-agent': 404,
  'worker.unknown-run': 404,
  'state.unknown-tenant': 404,
  'contracts.bad-id': 404,
  'control.unknown-job': 404,
  'control.job-exists': 409,
  'control.job-in-file': 409,
  'state.token-ended': 409,
  'state.starts-wait': 429,
  'control.too-many-passages': 429,
  'control.over-quota': 429,
};

const statusOfRemedy: Readonly<Record<Remedy, number>> = { 'fix-request': 400, retry: 503, 'ask-human': 500, 'give-up': 500 };

/**
 * The answer for anything that was thrown. What is our fault has a code and a sentence that says nothing of the inside:
 * paths, values and causes are for the log.
 */
export function problemOf(thrown: unknown): Problem {
  if (thrown instanceof RequestRefusedError) {
    const { status, code, remedy, publicMessage, retryAfterSeconds, quota } = thrown;
    const headers = {
      ...(status === 401 ? { 'www-authenticate': 'Bearer' } : {}),
      ...(retryAfterSeconds === undefined ? {} : { 'retry-after': String(retryAfterSeconds) }),
    };
    return { status, code, remedy, detail: publicMessage, headers, more: quota === undefined ? {} : { quota }, isOurs: false };
  }
  if (diskCodeOf(thrown) !== undefined) return noRoom();
  if (thrown instanceof ClawholdError) {
    const status = statusOfCode[thrown.code] ?? statusOfRemedy[thrown.remedy];
    const detail = status >= 500 ? hidden(thrown.remedy) : thrown.publicMessage;
    const isOurs = detail !== thrown.message;
    return { status, code: thrown.code, remedy: thrown.remedy, detail, headers: {}, more: {}, isOurs };
  }
  return ofFramework(thrown) ?? unexpected();
}

/** Refusals that the HTTP framework throws: sizes, media types, broken requests. */
function ofFramework(thrown: unknown): Problem | undefined {
  const { statusCode: status, code: name } = thrown as { readonly statusCode?: unknown; readonly code?: unknown };
  if (typeof name !== 'string' || !name.startsWith('FST_') || typeof status !== 'number' || status < 400 || status >= 500) return undefined;
  const [code, detail] =
    status === 413
      ? ['gateway.too-large', 'The body is larger than 1 MiB. Send less.']
      : status === 415
        ? ['gateway.not-json', 'The body is not JSON. Send it with "Content-Type: application/json".']
        : status === 414
          ? ['gateway.too-long', 'A part of the path is longer than any name or id can be. Correct it.']
          : ['gateway.bad-request', 'The request cannot be read. Correct its URL, headers and length.'];
  return { status, code, remedy: 'fix-request', detail, headers: {}, more: {}, isOurs: false };
}

function unexpected(): Problem {
  const remedy = 'retry';
  return { status: 500, code: 'gateway.unexpected', remedy, detail: hidden(remedy), headers: {}, more: {}, isOurs: true };
}

/** A disk that takes nothing is no secret: who asks can only come again, and whoever runs the server should know. */
function noRoom(): Problem {
  const detail =
    'The disk of this installation takes nothing now, so nothing was done. Try again later; whoever runs it sees the reason with "clawhold doctor".';
  return { status: 503, code: 'gateway.no-room', remedy: 'retry', detail, headers: { 'retry-after': '5' }, more: {}, isOurs: true };
}

function hidden(remedy: Remedy): string {
  const next = remedy === 'retry' ? 'Try again later' : 'Ask whoever runs this installation';
  return `Something went wrong inside, and the log has the details under the request's id. ${next}.`;
}

/** As application/problem+json. Source: RFC 9457. */
export function problemBody({ status, code, remedy, detail, more }: Problem, requestId: string): string {
  const title = titles[status] ?? 'Error';
  return JSON.stringify({ type: `urn:clawhold:error:${code}`, title, status, detail, code, remedy, requestId, ...more });
}

/** As OpenAI's clients expect it: they show `message` and branch on the status and `code`. */
export function openAiErrorBody({ status, code, remedy, detail, more }: Problem, requestId: string): string {
  const type =
    more['quota'] !== undefined && more['quota'] !== null
      ? 'insufficient_quota'
      : status === 401
        ? 'authentication_error'
        : status === 403
          ? 'permission_error'
          : status === 429
            ? 'rate_limit_error'
            : status >= 500
              ? 'server_error'
              : 'invalid_request_error';
  return JSON.stringify({ error: { message: detail, type, param: null, code, remedy, requestId, ...more } });
}
