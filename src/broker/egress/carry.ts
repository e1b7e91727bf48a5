import { asEgressError, EgressError } from '../egress-error.ts';
import { hostPortText } from '../host-name.ts';
import { readBody, writeBody } from '../http1/body.ts';
import {
  endToEnd,
  headBytes,
  isPersistent,
  parseResponseHead,
  responseFraming,
  type Framing,
  type Headers,
  type ResponseHead,
} from '../http1/head.ts';
import type { Wire } from '../http1/wire.ts';
import { connectSecurely, connectTo, wireOf } from './connect.ts';
import { hideSecrets, type Answer } from './hide.ts';
import { openPassage, type Passage, type PassageFacts } from './passage.ts';
import { revealSecrets, type Outgoing, type Revealed } from './reveal.ts';
import type { EdgeWorld } from './world.ts';

/** A server that a client's connection is using, so that its next request to the same place needs no new connection. */
export interface Upstream {
  readonly wire: Wire;
  readonly key: string;
}

export interface Carried {
  readonly answer: Answer;
  /** How the server framed it; `length` is passed on when the body is not changed. */
  readonly framing: Framing;
  readonly passage: Passage;
  /**
   * To be called when the body was read to its end: the connection for a next request, or undefined when it is used up.
   */
  finish(): Promise<Upstream | undefined>;
  /** To be called when anything failed since. */
  abandon(code: string): Promise<void>;
}

export interface CarryOptions {
  readonly mode: PassageFacts['mode'];
  readonly reuse?: Upstream | undefined;
  readonly signal?: AbortSignal;
}

/**
 * Carries one admitted request to its server, and gives the answer as it comes.
 *
 * Contract: recorded before anything leaves; what carries a secret has a token for it; secrets are put in on the way out and taken out on the way back;
 * redirects are answers like any other.
 * @throws EgressError; the passage is closed then.
 */
export async function carry(world: EdgeWorld, outgoing: Outgoing, options: CarryOptions): Promise<Carried> {
  const request = await revealSecrets(world, outgoing);
  for (const secret of request.placed) await world.askForCredential({ host: hostPortText(outgoing.admission.at), secret });
  const { admission, method } = request;
  const passage = await openPassage(world, {
    mode: options.mode,
    at: admission.at,
    addresses: admission.addresses,
    method,
    target: outgoing.target,
    secrets: request.placed,
  });
  let upstream: Upstream | undefined;
  const stop = (): void => upstream?.wire.fail(new EgressError('egress.closed', 'The request was stopped.'));
  try {
    upstream = await upstreamFor(world, request, options.reuse);
    options.signal?.throwIfAborted();
    options.signal?.addEventListener('abort', stop);
    return await exchange(world, request, { upstream, passage, ended: () => options.signal?.removeEventListener('abort', stop) });
  } catch (error) {
    options.signal?.removeEventListener('abort', stop);
    upstream?.wire[Symbol.dispose]();
    const failure = asEgressError(error);
    await passage.close(failure.code);
    failure.isRecorded = true;
    throw failure;
  }
}

async function upstreamFor(world: EdgeWorld, request: Revealed, reuse: Upstream | undefined): Promise<Upstream> {
  const { at } = request.admission;
  const key = `${request.isSecure ? 'https' : 'http'}://${at.host}:${at.port}`;
  if (reuse?.key === key && reuse.wire.isOpen) return reuse;
  reuse?.wire[Symbol.dispose]();
  const socket = await (request.isSecure ? connectSecurely(world, request.admission) : connectTo(world, request.admission));
  return { wire: wireOf(socket, world), key };
}

interface Line {
  readonly upstream: Upstream;
  readonly passage: Passage;
  readonly ended: () => void;
}

async function exchange(world: EdgeWorld, request: Revealed, { upstream, passage, ended }: Line): Promise<Carried> {
  const { wire } = upstream;
  const { limits } = world;
  const head = requestHead(request, world);
  passage.bytesUp += head.length;
  await wire.write(head);
  // The server may answer before it has read all: both directions go on at once.
  const sending = writeBody(wire, request.framing, counted(request.body, passage, 'bytesUp')).then(
    () => true,
    (error: unknown) => {
      wire.fail(error as Error);
      return false;
    },
  );
  const { response, bytes } = await readAnswerHead(world, wire);
  passage.bytesDown += bytes;
  passage.status = response.status;
  const { answer, framing } = readAnswer(request, { wire, response, passage, maxBytes: limits.bytesDown });
  return {
    answer: hideSecrets(answer, world.placeholders, limits.bytesDown),
    framing: framing.kind === 'none' ? informativeLength(response, request.method) : framing,
    passage,
    async finish() {
      ended();
      const isSent = await Promise.race([sending, Promise.resolve(false)]);
      await passage.close('done');
      if (isSent && framing.kind !== 'close' && isPersistent(response) && wire.isOpen) return upstream;
      wire[Symbol.dispose]();
      return undefined;
    },
    async abandon(code) {
      ended();
      wire[Symbol.dispose]();
      await passage.close(code);
    },
  };
}

interface Reading {
  readonly wire: Wire;
  readonly response: ResponseHead;
  readonly passage: Passage;
  readonly maxBytes: number;
}

function readAnswer(
  { method }: Revealed,
  { wire, response, passage, maxBytes }: Reading,
): { readonly answer: Answer; readonly framing: Framing } {
  const framing = responseFraming(response, method);
  const raw = readBody(wire, framing, { maxBytes, code: 'egress.bad-answer' });
  const headers = endToEnd(response.headers).filter(([name]) => name !== 'alt-svc');
  return { framing, answer: { status: response.status, headers, body: counted(raw, passage, 'bytesDown'), isChanged: false } };
}

/** A HEAD's answer says how long the body would be. */
function informativeLength(response: ResponseHead, method: string): Framing {
  const length = method === 'HEAD' ? response.headers.find(([name]) => name === 'content-length')?.[1] : undefined;
  return length === undefined ? { kind: 'none' } : { kind: 'length', bytes: Number(length) };
}

/** The last head: those that only say "go on" are left out. */
async function readAnswerHead(world: EdgeWorld, wire: Wire): Promise<{ readonly response: ResponseHead; readonly bytes: number }> {
  const { answerMs, headBytes: maxBytes } = world.limits;
  let bytes = 0;
  for (let count = 0; count < 8; count += 1) {
    const head = await wire.readHead({ maxBytes, ms: answerMs });
    if (head === undefined) throw new EgressError('egress.unreachable', 'The server closed the connection without an answer. Try again.');
    bytes += head.length;
    const response = parseResponseHead(head);
    if (response.status === 101) break;
    if (response.status >= 200) return { response, bytes };
  }
  throw new EgressError('egress.bad-answer', 'The server wants another protocol, or never comes to its answer. Use plain HTTP.');
}

/** Headers by which servers let a client choose another method or path than the one that was checked. */
const overrides = new Set(['x-http-method-override', 'x-http-method', 'x-method-override', 'x-original-url', 'x-rewrite-url']);

function requestHead({ method, target, headers, framing, admission, isSecure }: Revealed, world: EdgeWorld): Buffer {
  const { host, port } = admission.at;
  const isDefault = port === (isSecure ? 443 : 80);
  const kept = headers.filter(([name]) => !(name === 'accept-encoding' && world.placeholders.length > 0) && !overrides.has(name));
  const length: Headers =
    framing.kind === 'chunked'
      ? [['transfer-encoding', 'chunked']]
      : framing.kind === 'length'
        ? [['content-length', String(framing.bytes)]]
        : [];
  const packing: Headers = world.placeholders.length > 0 ? [['accept-encoding', 'identity']] : [];
  return headBytes(`${method} ${target.path}${target.query} HTTP/1.1`, [
    ['host', isDefault ? host : `${host}:${port}`],
    ...kept,
    ...packing,
    ...length,
  ]);
}

async function* counted(
  body: AsyncIterable<Buffer>,
  passage: Passage,
  direction: 'bytesUp' | 'bytesDown',
): AsyncGenerator<Buffer, void, undefined> {
  for await (const bytes of body) {
    passage[direction] += bytes.length;
    yield bytes;
  }
}
