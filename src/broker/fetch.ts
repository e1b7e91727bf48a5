import type { Grant } from '../contracts/config.ts';
import type { Edge, EgressGrant } from './edge.ts';
import { EgressError } from './egress-error.ts';
import { admit, admitRequest } from './egress/admit.ts';
import { parseEgressGrant } from './egress/allowlist.ts';
import { carry } from './egress/carry.ts';
import { hostPortText, parseHostPort, type HostPort } from './host-name.ts';
import { endToEnd, type Headers } from './http1/head.ts';
import { swapText } from './swap-bytes.ts';

export interface FetchRequest {
  /** `https://host/path`; a secret is written `{{secret:NAME}}` where it may stand. */
  readonly url: string;
  /** Upper case. Default GET. */
  readonly method?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface Hop {
  readonly url: string;
  readonly at: HostPort;
  readonly method: string;
}

export interface FetchOptions {
  readonly signal: AbortSignal;
  /** Of the body that is kept; the rest is not read. */
  readonly maxBytes: number;
  /** Policy's word on each redirect (the first address was decided before): a reason refuses it. */
  readonly redirectFault?: (hop: Hop) => string | undefined;
}

export interface Fetched {
  /** Of the last hop. */
  readonly url: string;
  readonly status: number;
  readonly headers: Headers;
  readonly body: Buffer;
  readonly isCut: boolean;
  /** The addresses that led here, when the first one was not the last. */
  readonly redirects: readonly string[];
}

const maxRedirects = 5;
const safeMethods: ReadonlySet<string> = new Set(['GET', 'HEAD']);

/**
 * What grants of `http.fetch` let an edge reach: their hosts, with GET and HEAD unless methods are named. Without
 * hosts: nothing. @throws FixRequestError for a host that cannot be granted.
 */
export function fetchGrants(grants: Grant | readonly Grant[] | undefined): readonly EgressGrant[] {
  const list: readonly Grant[] = grants === undefined ? [] : Array.isArray(grants) ? (grants as readonly Grant[]) : [grants as Grant];
  return list.flatMap(({ hosts = [], methods = ['GET', 'HEAD'] }) =>
    hosts.map((host) => parseEgressGrant(host, { methods: methods.map((method) => method.toUpperCase()) })),
  );
}

/**
 * One request through the edge of a run, with every check that a sandbox's traffic has.
 *
 * Contract: a redirect is followed for GET and HEAD only, each hop checked like a first request and never from https
 * to http; credentials in headers stay with the host that they were written for; nothing of a secret is in the result.
 * @throws EgressError
 */
export async function fetchThroughEdge(edge: Edge, request: FetchRequest, options: FetchOptions): Promise<Fetched> {
  const method = request.method ?? 'GET';
  let headers = headersOf(edge, request);
  let url = parseUrl(edge, request.url);
  const redirects: string[] = [];
  for (;;) {
    const fetched = await fetchOnce(edge, { url, method, headers, body: request.body }, options);
    const next = safeMethods.has(method) ? nextUrl(fetched, url) : undefined;
    if (next === undefined) return { ...fetched, redirects };
    if (redirects.length >= maxRedirects)
      throw new EgressError('egress.bad-answer', `The server redirects more than ${maxRedirects} times. Ask for the last address.`);
    if (url.isSecure && !next.isSecure)
      throw new EgressError('egress.bad-answer', 'The server redirects from https to http, which is refused. Ask for another address.');
    const fault = options.redirectFault?.({ url: next.shown, at: next.at, method });
    if (fault !== undefined) throw new EgressError('egress.not-granted', `The redirect to ${next.shown} is refused: ${fault}`);
    redirects.push(url.shown);
    if (hostPortText(next.at) !== hostPortText(url.at)) headers = headers.filter(([name]) => name !== 'authorization' && name !== 'cookie');
    url = next;
  }
}

/** Host and port of an address, by the edge's own reading. @throws EgressError */
export function urlPlace(url: string): HostPort {
  return parseUrl({ placeholders: new Map() }, url).at;
}

interface CheckedUrl {
  readonly at: HostPort;
  readonly isSecure: boolean;
  readonly path: string;
  readonly query: string;
  /** As a person may see it: with `{{secret:NAME}}` where a secret stands. */
  readonly shown: string;
}

interface One {
  readonly url: CheckedUrl;
  readonly method: string;
  readonly headers: Headers;
  readonly body: string | undefined;
}

async function fetchOnce(
  { world, placeholders }: Edge,
  { url, method, headers, body }: One,
  options: FetchOptions,
): Promise<Omit<Fetched, 'redirects'>> {
  const admission = await admit(world, url.at);
  const target = { path: url.path, query: url.query };
  admitRequest(admission, method, target);
  const bytes = Buffer.from(reveal(placeholders, body ?? ''), 'utf8');
  const framing =
    bytes.length === 0 && safeMethods.has(method) ? ({ kind: 'none' } as const) : ({ kind: 'length', bytes: bytes.length } as const);
  if (bytes.length > world.limits.bytesUp)
    throw new EgressError('egress.too-large', `The body has more than ${world.limits.bytesUp} bytes. Send less.`);
  const carried = await carry(
    world,
    { admission, isSecure: url.isSecure, method, target, headers, framing, body: bytes.length === 0 ? none() : once(bytes) },
    { mode: 'fetch', signal: options.signal },
  );
  try {
    const { body: received, isCut } = await readUpTo(carried.answer.body, options.maxBytes);
    if (isCut) await carried.abandon('done');
    else (await carried.finish())?.wire[Symbol.dispose]();
    const shownHeaders = carried.answer.headers.map(([name, value]) => [name, conceal(placeholders, value)] as const);
    return { url: url.shown, status: carried.answer.status, headers: shownHeaders, body: concealBytes(placeholders, received), isCut };
  } catch (error) {
    const failure =
      error instanceof EgressError ? error : new EgressError('egress.bad-answer', 'The answer broke off. Try again.', { cause: error });
    await carried.abandon(failure.code);
    throw failure;
  }
}

/** The one reading of a URL: what another parser could take for another host is refused. @throws EgressError */
function parseUrl({ placeholders }: Pick<Edge, 'placeholders'>, raw: string): CheckedUrl {
  const match = /^(https?):\/\/([^/?#\\@\s]+)([/?][^\\]*)?$/i.exec(raw.replace(/#.*$/s, ''));
  const parsed = match === null || /[\0-\x20\x7f]/.test(raw) ? null : URL.parse(reveal(placeholders, raw));
  if (match === null || parsed === null)
    throw new EgressError(
      'egress.bad-request',
      `The address ${JSON.stringify(raw.slice(0, 300))} is refused, because it is not a plain http or https address. Write it plainly.`,
    );
  const isSecure = parsed.protocol === 'https:';
  const at = parseHostPort(match[2] ?? '', isSecure ? 443 : 80);
  if (parsed.hostname !== at.host)
    throw new EgressError(
      'egress.bad-host',
      `The address ${JSON.stringify(raw.slice(0, 300))} is refused, because its host can be read in two ways.`,
    );
  return {
    at,
    isSecure,
    path: parsed.pathname,
    query: parsed.search,
    shown: conceal(placeholders, `${parsed.protocol}//${parsed.host}${parsed.pathname}${parsed.search}`),
  };
}

function nextUrl({ status, headers }: Pick<Fetched, 'status' | 'headers'>, from: CheckedUrl): CheckedUrl | undefined {
  const location = headers.find(([name]) => name === 'location')?.[1];
  if (location === undefined || ![301, 302, 303, 307, 308].includes(status)) return undefined;
  const base = `${from.isSecure ? 'https' : 'http'}://${hostPortText(from.at)}${from.path}`;
  // A full address is read as it is written; only what is relative needs the base. A server's word never puts a secret
  // in, so it is read without any.
  const bare = { placeholders: new Map<string, string>() };
  if (/^[a-z][a-z0-9+.-]*:/i.test(location)) return parseUrl(bare, location);
  if (/^[\\/]{2}/.test(location)) return parseUrl(bare, `${from.isSecure ? 'https' : 'http'}:${location}`);
  return parseUrl(bare, URL.parse(location, base)?.href ?? '');
}

const forbidden: ReadonlySet<string> = new Set(['host', 'content-length', 'transfer-encoding', 'connection']);

function headersOf({ placeholders }: Edge, { headers = {} }: FetchRequest): Headers {
  const given = Object.entries(headers).map(([name, value]) => [name.toLowerCase(), reveal(placeholders, value)] as const);
  for (const [name, value] of given) {
    if (forbidden.has(name) || !/^[!#$%&'*+\-.^_`|~0-9a-z]{1,100}$/.test(name) || /[^\t\x20-\x7e]/.test(value))
      throw new EgressError(
        'egress.bad-request',
        `The header ${JSON.stringify(name.slice(0, 100))} is refused, because it frames the request or holds control characters. Leave it out.`,
      );
  }
  const names = new Set(given.map(([name]) => name));
  const usual: Headers = [['user-agent', 'clawhold'] as const, ['accept', '*/*'] as const, ['accept-encoding', 'identity'] as const].filter(
    ([name]) => !names.has(name),
  );
  return [...endToEnd(given), ...usual];
}

/** `{{secret:NAME}}` to this run's placeholder, which the edge knows. A name that the run does not have stays as it is. */
function reveal(placeholders: Edge['placeholders'], text: string): string {
  return text.replaceAll(
    /(?:\{\{|%7B%7B)secret(?::|%3A)([A-Z][A-Z0-9_]{0,62})(?:\}\}|%7D%7D)/gi,
    (whole, name: string) => placeholders.get(name) ?? whole,
  );
}

function conceal(placeholders: Edge['placeholders'], text: string): string {
  return swapText(text, concealing(placeholders));
}

function concealBytes(placeholders: Edge['placeholders'], bytes: Buffer): Buffer {
  const pairs = concealing(placeholders);
  if (!pairs.some(([token]) => bytes.includes(token))) return bytes;
  return Buffer.from(swapText(bytes.toString('latin1'), pairs), 'latin1');
}

function concealing(placeholders: Edge['placeholders']): readonly (readonly [string, string])[] {
  return [...placeholders].map(([name, token]) => [token, `{{secret:${name}}}`] as const);
}

async function readUpTo(body: AsyncIterable<Buffer>, maxBytes: number): Promise<{ readonly body: Buffer; readonly isCut: boolean }> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const bytes of body) {
    parts.push(bytes);
    size += bytes.length;
    if (size > maxBytes) return { body: Buffer.concat(parts).subarray(0, maxBytes), isCut: true };
  }
  return { body: Buffer.concat(parts), isCut: false };
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}

async function* none(): AsyncGenerator<Buffer, void, undefined> {
  // Nothing to send.
}
