import { EgressError } from '../egress-error.ts';

export type Headers = readonly (readonly [name: string, value: string])[];

export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly isVersion10: boolean;
  /** Names in lower case, in order, duplicates kept. */
  readonly headers: Headers;
}

export interface ResponseHead {
  readonly status: number;
  readonly isVersion10: boolean;
  readonly headers: Headers;
}

/** How a message's end is known. */
export type Framing =
  | { readonly kind: 'none' }
  | { readonly kind: 'length'; readonly bytes: number }
  | { readonly kind: 'chunked' }
  | { readonly kind: 'close' };

const token = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const maxHeaders = 200;

/**
 * Reads a request's head by the letter of the standard: what two readers could read in two ways is refused, so that
 * the server behind cannot see another request than the one that was checked. Source: RFC 9112; request smuggling.
 *
 * @param bytes the head with its empty line.
 * @throws EgressError `egress.bad-request`
 */
export function parseRequestHead(bytes: Buffer): RequestHead {
  const lines = linesOf(bytes, badRequest);
  const match = /^([A-Z]{3,20}) ([\x21-\x7e]+) HTTP\/1\.([01])$/.exec(lines[0] ?? '');
  if (match === null) throw badRequest('its first line is not METHOD TARGET HTTP/1.1');
  return { method: match[1] ?? '', target: match[2] ?? '', isVersion10: match[3] === '0', headers: headersOf(lines, badRequest) };
}

/** @throws EgressError `egress.bad-answer` */
export function parseResponseHead(bytes: Buffer): ResponseHead {
  const lines = linesOf(bytes, badAnswer);
  const match = /^HTTP\/1\.([01]) ([1-5][0-9]{2})(?: [\t\x20-\x7e\x80-\xff]*)?$/.exec(lines[0] ?? '');
  if (match === null) throw badAnswer('its first line is not HTTP/1.1 STATUS');
  return { status: Number(match[2]), isVersion10: match[1] === '0', headers: headersOf(lines, badAnswer) };
}

/** @throws EgressError when the length is said twice, in two ways, or in a way that some readers do not know. */
export function requestFraming(head: RequestHead): Framing {
  return framingOf(head, badRequest) ?? { kind: 'none' };
}

export function responseFraming(head: ResponseHead, method: string): Framing {
  const said = framingOf(head, badAnswer);
  if (method === 'HEAD' || head.status === 204 || head.status === 304 || head.status < 200) return { kind: 'none' };
  return said ?? { kind: 'close' };
}

export function valuesOf(headers: Headers, name: string): readonly string[] {
  return headers.filter(([each]) => each === name).map(([, value]) => value);
}

const alwaysHop = new Set([
  'connection',
  'keep-alive',
  'proxy-connection',
  'proxy-authorization',
  'proxy-authenticate',
  'proxy-authentication-info',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'content-length',
  'expect',
]);

/** Without what concerns one connection only; the sender frames the message anew. */
export function endToEnd(headers: Headers): Headers {
  const listed = new Set(valuesOf(headers, 'connection').flatMap((value) => value.split(',').map((name) => name.trim().toLowerCase())));
  return headers.filter(([name]) => !alwaysHop.has(name) && !listed.has(name));
}

export function isPersistent(head: { readonly isVersion10: boolean; readonly headers: Headers }): boolean {
  return !head.isVersion10 && !valuesOf(head.headers, 'connection').some((value) => /(^|,)\s*close\s*(,|$)/i.test(value));
}

export function headBytes(first: string, headers: Headers): Buffer {
  return Buffer.from(`${first}\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n`, 'latin1');
}

type Complain = (why: string) => EgressError;

function linesOf(bytes: Buffer, bad: Complain): readonly string[] {
  const text = bytes.toString('latin1');
  if (!text.endsWith('\r\n\r\n')) throw bad('its head does not end');
  const lines = text.slice(0, -4).split('\r\n');
  if (lines.some((line) => /[\r\n\0]/.test(line))) throw bad('a line ends in other ways than CR LF, or holds a NUL');
  return lines;
}

function headersOf(lines: readonly string[], bad: Complain): Headers {
  if (lines.length > maxHeaders) throw bad(`it has more than ${maxHeaders} headers`);
  return lines.slice(1).map((line) => {
    const colon = line.indexOf(':');
    const name = line.slice(0, colon);
    if (colon < 1 || !token.test(name)) throw bad('a header has no name, a space before its colon, or is folded');
    const value = line.slice(colon + 1).replace(/^[ \t]+|[ \t]+$/g, '');
    if (/[^\t\x20-\x7e\x80-\xff]/.test(value)) throw bad('a header holds a control character');
    return [name.toLowerCase(), value] as const;
  });
}

function framingOf(head: { readonly isVersion10: boolean; readonly headers: Headers }, bad: Complain): Framing | undefined {
  const lengths = valuesOf(head.headers, 'content-length');
  const codings = valuesOf(head.headers, 'transfer-encoding');
  if (lengths.length > 0 && codings.length > 0) throw bad('it has both Content-Length and Transfer-Encoding');
  if (codings.length > 0) {
    if (head.isVersion10 || codings.length !== 1 || codings[0]?.toLowerCase() !== 'chunked')
      throw bad('its Transfer-Encoding is not exactly "chunked"');
    return { kind: 'chunked' };
  }
  if (lengths.length === 0) return undefined;
  const [length = ''] = lengths;
  if (lengths.length !== 1 || !/^[0-9]{1,15}$/.test(length)) throw bad('its Content-Length is not one number');
  return { kind: 'length', bytes: Number(length) };
}

function badRequest(why: string): EgressError {
  return new EgressError('egress.bad-request', `The request is refused, because ${why}. Send it as HTTP/1.1 says.`);
}

function badAnswer(why: string): EgressError {
  return new EgressError(
    'egress.bad-answer',
    `The server’s answer is refused, because ${why}. Try again, or tell whoever runs the server.`,
  );
}
