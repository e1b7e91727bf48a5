import { EgressError } from '../egress-error.ts';
import { hostPortText } from '../host-name.ts';
import { valuesOf, type Framing, type Headers } from '../http1/head.ts';
import { revealHeader, revealingPairs, type Placeholder } from '../placeholders.ts';
import { swapText } from '../swap-bytes.ts';
import type { Admission } from './admit.ts';
import type { RequestTarget } from './request-target.ts';
import type { EdgeWorld } from './world.ts';

export interface Outgoing {
  readonly admission: Admission;
  readonly isSecure: boolean;
  readonly method: string;
  readonly target: RequestTarget;
  /** End to end, without `host`. */
  readonly headers: Headers;
  readonly framing: Framing;
  readonly body: AsyncIterable<Buffer>;
}

export interface Revealed extends Outgoing {
  /** Names of the secrets that were put in. */
  readonly placed: readonly string[];
}

/**
 * Puts secrets where their tokens stand, for this host, in the places that each secret names and nowhere else. A token
 * that stands elsewhere, or goes to another host, leaves as it is.
 *
 * Contract: nothing is put into a request that is not encrypted, but to a test server of this machine.
 * @throws EgressError for a body that is too large to look through.
 */
export async function revealSecrets(
  world: Pick<EdgeWorld, 'placeholders' | 'allowLoopback' | 'limits'>,
  request: Outgoing,
): Promise<Revealed> {
  const at = hostPortText(request.admission.at);
  const mine = world.placeholders.filter(({ secret }) => secret.hosts.includes(at));
  if (mine.length === 0 || (!request.isSecure && !world.allowLoopback.includes(at))) return { ...request, placed: [] };
  const placed = new Set<string>();
  const headers = revealHeaders(request.headers, mine, placed);
  const query = revealText(request.target.query, pinned(mine, 'query', request), { encode: encodeURIComponent, placed });
  const inBody = pinned(mine, 'body', request);
  const body = inBody.length === 0 ? {} : await revealBody(request, inBody, { placed, maxBytes: world.limits.swapBytes });
  return { ...request, headers, target: { ...request.target, query }, ...body, placed: [...placed] };
}

function revealHeaders(headers: Headers, mine: readonly Placeholder[], placed: Set<string>): Headers {
  return headers.map(([name, value]) => {
    let now = value;
    for (const one of mine) {
      if (!one.secret.place.some((place) => place.in === 'header' && place.name === name)) continue;
      const revealed = revealHeader(now, [one]);
      if (revealed === undefined) continue;
      placed.add(one.secret.name);
      now = revealed;
    }
    return [name, now] as const;
  });
}

function pinned(mine: readonly Placeholder[], where: 'query' | 'body', { method, target }: Outgoing): readonly Placeholder[] {
  return mine.filter(({ secret }) =>
    secret.place.some((place) => place.in === where && place.method === method && place.path === target.path),
  );
}

function revealText(
  text: string,
  mine: readonly Placeholder[],
  { encode, placed }: { readonly encode: (value: string) => string; readonly placed: Set<string> },
): string {
  for (const { secret, token } of mine) if (text.includes(token)) placed.add(secret.name);
  return swapText(text, revealingPairs(mine, encode));
}

async function revealBody(
  { headers, framing, body }: Outgoing,
  mine: readonly Placeholder[],
  { placed, maxBytes }: { readonly placed: Set<string>; readonly maxBytes: number },
): Promise<Pick<Outgoing, 'framing' | 'body'>> {
  if (framing.kind === 'none') return { framing, body };
  const whole = await readWhole(body, maxBytes);
  const type = valuesOf(headers, 'content-type')[0]?.toLowerCase() ?? '';
  const encode = type.includes('json') ? inJson : type.includes('x-www-form-urlencoded') ? encodeURIComponent : asIs;
  const text = revealText(whole.toString('latin1'), mine, { encode, placed });
  const bytes = Buffer.from(text, 'latin1');
  return { framing: { kind: 'length', bytes: bytes.length }, body: once(bytes) };
}

async function readWhole(body: AsyncIterable<Buffer>, maxBytes: number): Promise<Buffer> {
  const parts: Buffer[] = [];
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (size > maxBytes)
      throw new EgressError(
        'egress.too-large',
        `A body in which a secret is to be put has more than ${maxBytes} bytes. Send less, or put the secret in a header.`,
      );
    parts.push(part);
  }
  return Buffer.concat(parts);
}

async function* once(bytes: Buffer): AsyncGenerator<Buffer, void, undefined> {
  yield bytes;
}

function inJson(value: string): string {
  return JSON.stringify(value).slice(1, -1);
}

function asIs(value: string): string {
  return value;
}
