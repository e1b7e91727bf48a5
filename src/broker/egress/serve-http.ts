import { asEgressError, EgressError } from '../egress-error.ts';
import type { HostPort } from '../host-name.ts';
import { readBody, writeBody } from '../http1/body.ts';
import {
  endToEnd,
  headBytes,
  isPersistent,
  parseRequestHead,
  requestFraming,
  valuesOf,
  type Framing,
  type Headers,
  type RequestHead,
} from '../http1/head.ts';
import type { Wire } from '../http1/wire.ts';
import { admit, admitRequest, type Admission } from './admit.ts';
import { carry, type Carried, type Upstream } from './carry.ts';
import { recordRefusal } from './passage.ts';
import { parseAbsoluteForm, parseOriginForm, type RequestTarget } from './request-target.ts';
import type { EdgeWorld } from './world.ts';

/** How a client's requests name their server: each its own, or all the one that the tunnel was opened for. */
export type Door =
  | { readonly kind: 'proxy'; readonly connect: (head: RequestHead) => Promise<void> }
  | { readonly kind: 'inside'; readonly admission: Admission; readonly isSecure: boolean };

/** Answers a client's requests, one after the other, until either side ends the connection. Never throws. */
export async function serveHttp(world: EdgeWorld, client: Wire, door: Door): Promise<void> {
  let upstream: Upstream | undefined;
  const gone = new AbortController();
  client.socket.once('close', () => gone.abort(new EgressError('egress.closed', 'The client is gone.')));
  try {
    for (let count = 0; count < world.limits.requestsPerConnection; count += 1) {
      if (!(await isMore(client))) return;
      const served = await serveOne(world, client, { door, upstream, signal: gone.signal });
      upstream = served.upstream;
      if (!served.isMore) return;
    }
  } catch {
    // silent-ok: whoever asked is gone; what had left is recorded.
  } finally {
    upstream?.wire[Symbol.dispose]();
    await client.finish(world.limits.headMs);
  }
}

/** Waits for a request's first byte, as long as the connection may be idle. */
async function isMore(client: Wire): Promise<boolean> {
  const bytes = await client.read();
  if (bytes !== undefined) client.unread(bytes);
  return bytes !== undefined;
}

interface Visit {
  readonly door: Door;
  readonly upstream: Upstream | undefined;
  readonly signal: AbortSignal;
}

interface Served {
  readonly isMore: boolean;
  readonly upstream?: Upstream | undefined;
}

async function serveOne(world: EdgeWorld, client: Wire, { door, upstream, signal }: Visit): Promise<Served> {
  let at: HostPort | undefined = door.kind === 'inside' ? door.admission.at : undefined;
  let carried: Carried;
  let head: RequestHead;
  try {
    head = await readRequest(world, client);
    if (head.method === 'CONNECT' && door.kind === 'proxy') {
      await door.connect(head);
      return { isMore: false };
    }
    const asked = readTarget(head, door);
    at = asked.at;
    const admission = door.kind === 'inside' ? door.admission : await admit(world, asked.at);
    admitRequest(admission, head.method, asked.target);
    carried = await send(world, client, { head, admission, target: asked.target, door, upstream, signal });
  } catch (error) {
    await refuse(world, client, { at, error });
    return { isMore: false };
  }
  return await giveBack(client, head, carried);
}

async function readRequest({ limits }: EdgeWorld, client: Wire): Promise<RequestHead> {
  const bytes = await client.readHead({ maxBytes: limits.headBytes, ms: limits.headMs });
  if (bytes === undefined) throw new EgressError('egress.bad-request', 'The connection ended before the request. Send it whole.');
  return parseRequestHead(bytes);
}

function readTarget(head: RequestHead, door: Door): { readonly at: HostPort; readonly target: RequestTarget } {
  const hosts = valuesOf(head.headers, 'host');
  const asked = door.kind === 'proxy' ? parseAbsoluteForm(head.target) : { at: door.admission.at, target: parseOriginForm(head.target) };
  const { host, port } = asked.at;
  const defaultPort = door.kind === 'inside' && door.isSecure ? 443 : 80;
  const allowed = [`${host}:${port}`, ...(port === defaultPort ? [host] : [])];
  // Without a Host only HTTP/1.0 asks; a second one, or another name than the checked one, would be the server's choice.
  const isSame = hosts.length === 0 ? head.isVersion10 : hosts.length === 1 && allowed.includes(hosts[0]?.toLowerCase() ?? '');
  if (!isSame)
    throw new EgressError('egress.bad-host', `The Host header is missing, doubled or not ${host}. Send the host that is asked for.`);
  return asked;
}

interface Sending {
  readonly head: RequestHead;
  readonly admission: Admission;
  readonly target: RequestTarget;
  readonly door: Door;
  readonly upstream: Upstream | undefined;
  readonly signal: AbortSignal;
}

async function send(world: EdgeWorld, client: Wire, { head, admission, target, door, upstream, signal }: Sending): Promise<Carried> {
  const framing = requestFraming(head);
  if (valuesOf(head.headers, 'expect').length > 0) await client.write(Buffer.from('HTTP/1.1 100 Continue\r\n\r\n'));
  return await carry(
    world,
    {
      admission,
      isSecure: door.kind === 'inside' && door.isSecure,
      method: head.method,
      target,
      headers: endToEnd(head.headers).filter(([name]) => name !== 'host'),
      framing,
      body: readBody(client, framing, { maxBytes: world.limits.bytesUp, code: 'egress.bad-request' }),
    },
    { mode: door.kind === 'proxy' ? 'http' : 'inspected', reuse: upstream, signal },
  );
}

async function giveBack(client: Wire, head: RequestHead, carried: Carried): Promise<Served> {
  const { answer } = carried;
  const framing = framingFor(head, carried);
  const isLast = framing.kind === 'close' || !isPersistent(head);
  const length: Headers =
    framing.kind === 'length'
      ? [['content-length', String(framing.bytes)]]
      : framing.kind === 'chunked'
        ? [['transfer-encoding', 'chunked']]
        : [];
  try {
    await client.write(
      headBytes(`HTTP/1.1 ${answer.status} -`, [...answer.headers, ...length, ...(isLast ? ([['connection', 'close']] as const) : [])]),
    );
    await writeBody(client, head.method === 'HEAD' ? { kind: 'none' } : framing, answer.body);
  } catch (error) {
    await carried.abandon(asEgressError(error).code);
    // The length was promised: only a cut connection says that it was not kept.
    client.fail(error as Error);
    return { isMore: false };
  }
  const upstream = await carried.finish();
  // A body that the server did not want is still on its way in: the next request could not be told from it.
  const isRead = upstream !== undefined || requestFraming(head).kind === 'none';
  return { isMore: !isLast && isRead, upstream };
}

function framingFor(head: RequestHead, { answer, framing }: Carried): Framing {
  if (framing.kind === 'none' || (framing.kind === 'length' && (!answer.isChanged || head.method === 'HEAD'))) return framing;
  return head.isVersion10 ? { kind: 'close' } : { kind: 'chunked' };
}

/** Tells the client why, in words that hold nothing of the request. */
export async function refuse(
  world: EdgeWorld,
  client: Wire,
  { at, error }: { readonly at: HostPort | undefined; readonly error: unknown },
): Promise<void> {
  const known = asEgressError(error);
  if (!known.isRecorded) await recordRefusal(world, at, known.code);
  const text = Buffer.from(`${known.code}: ${known.message}\n`);
  const head = headBytes(`HTTP/1.1 ${known.status} Refused`, [
    ['content-type', 'text/plain; charset=utf-8'],
    ['content-length', String(text.length)],
    ['x-clawhold-refused', known.code],
    ['connection', 'close'],
  ]);
  await client.write(Buffer.concat([head, text]));
}
