import { FixRequestError } from '../../contracts/errors.ts';

export interface HostPattern {
  readonly source: string;
  /** `suffix` starts with a dot and matches subdomains only. */
  readonly match: { readonly exact: string } | { readonly suffix: string } | 'any';
  readonly port: number | undefined;
}

/**
 * `host`, `host:port`, `*.example.org` (its subdomains, not itself) or `*`. The name goes through the URL parser, as
 * hosts of requests do, so that both have one spelling (case, punycode, decimal IP addresses).
 *
 * @throws FixRequestError when it is none of these.
 */
export function compileHostPattern(source: string): HostPattern {
  if (source === '*') return { source, match: 'any', port: undefined };
  const isSuffix = source.startsWith('*.');
  const read = readHost(isSuffix ? source.slice(2) : source);
  if (read === undefined || /[*/]/.test(isSuffix ? source.slice(2) : source)) {
    throw new FixRequestError(
      'governance.bad-pattern',
      `The host ${JSON.stringify(source)} cannot be used: it must be a host, host:port, *.domain or *. Correct it.`,
    );
  }
  return { source, match: isSuffix ? { suffix: `.${read.host}` } : { exact: read.host }, port: read.port };
}

export function hostMatches(pattern: HostPattern, host: string, port: number | undefined): boolean {
  if (pattern.port !== undefined && pattern.port !== port) return false;
  if (pattern.match === 'any') return true;
  return 'exact' in pattern.match ? pattern.match.exact === host : host.endsWith(pattern.match.suffix);
}

/** Host and port of a URL or of `host[:port]`; undefined when there is none. Ports follow from http and https only. */
export function readHost(text: string): { readonly host: string; readonly port: number | undefined } | undefined {
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  if (/[\s\\]/.test(text) || text === '') return undefined;
  let url: URL;
  try {
    url = new URL(hasScheme ? text : `http://${text}`);
  } catch {
    // silent-ok: the answer "no host" is the caller's to handle
    return undefined;
  }
  const host = url.hostname.replace(/\.$/, '');
  if (host === '' || (url.protocol !== 'http:' && url.protocol !== 'https:')) return undefined;
  if (url.port !== '') return { host, port: Number(url.port) };
  if (hasScheme) return { host, port: url.protocol === 'https:' ? 443 : 80 };
  return { host, port: /:80(\/|$)/.test(text) ? 80 : undefined };
}
