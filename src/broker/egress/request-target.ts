import { EgressError } from '../egress-error.ts';
import { parseHostPort, type HostPort } from '../host-name.ts';

export interface RequestTarget {
  readonly path: string;
  /** With its `?`; empty when there is none. */
  readonly query: string;
}

const visible = /^[\x21-\x7e]*$/;

/** `http://host[:port]/path?query`, as clients ask a proxy. @throws EgressError */
export function parseAbsoluteForm(target: string): { readonly at: HostPort; readonly target: RequestTarget } {
  const match = /^http:\/\/([^/?#]*)(\/[^#]*)?$/i.exec(target);
  if (match === null) throw bad('The request names no http:// address; for https:// the client must use CONNECT.');
  return { at: parseHostPort(match[1] ?? '', 80), target: parseOriginForm(match[2] ?? '/') };
}

/** `/path?query` @throws EgressError */
export function parseOriginForm(text: string): RequestTarget {
  if (!text.startsWith('/') || text.includes('#') || !visible.test(text)) throw bad('The request’s target is not a path.');
  const at = text.indexOf('?');
  return at === -1 ? { path: text, query: '' } : { path: text.slice(0, at), query: text.slice(at) };
}

/**
 * Refuses a path that servers read in different ways: dot segments, doubled and encoded separators, encodings of
 * encodings, parameters after dots. What is left is compared as it is written, and sent as it is written.
 *
 * @throws EgressError `egress.bad-path`
 */
export function checkPlainPath(path: string): void {
  const fault = pathFault(path);
  if (fault !== undefined)
    throw new EgressError(
      'egress.bad-path',
      `The path ${JSON.stringify(path.slice(0, 200))} is refused, because it ${fault}. Write it plainly.`,
    );
}

function pathFault(path: string): string | undefined {
  if (path.includes('\\')) return 'holds a backslash';
  if (path.includes('//')) return 'holds an empty segment';
  if (/%(?![0-9a-f]{2})/i.test(path)) return 'holds a broken % code';
  if (/%(?:2f|5c|2e|25|3b|[01][0-9a-f]|7f)/i.test(path)) return 'holds an encoded separator, dot, percent sign or control character';
  if (path.split('/').some((segment) => /^\.{1,2}(;|$)/.test(segment))) return 'holds a dot segment';
  return undefined;
}

function bad(message: string): EgressError {
  return new EgressError('egress.bad-request', `${message} It is refused. Correct the request.`);
}
