import { EgressError, type EgressCode } from '../egress-error.ts';
import type { Framing } from './head.ts';
import type { Wire } from './wire.ts';

export interface BodyLimit {
  readonly maxBytes: number;
  /** What a malformed body is called. */
  readonly code: EgressCode & ('egress.bad-request' | 'egress.bad-answer');
}

/**
 * The bytes of a message's body, without its framing.
 *
 * Contract: ends exactly where the message ends; a body that ends early, is longer than the limit, or whose chunks are
 * written in a way that readers differ about (extensions, trailers, other line ends) is an error.
 */
export async function* readBody(wire: Wire, framing: Framing, limit: BodyLimit): AsyncGenerator<Buffer, void, undefined> {
  if (framing.kind === 'none') return;
  if (framing.kind === 'length' && framing.bytes > limit.maxBytes) throw tooLarge(limit);
  let total = 0;
  for await (const bytes of framing.kind === 'chunked' ? chunked(wire, limit) : plain(wire, framing, limit)) {
    total += bytes.length;
    if (total > limit.maxBytes) throw tooLarge(limit);
    yield bytes;
  }
}

async function* plain(wire: Wire, framing: Framing, limit: BodyLimit): AsyncGenerator<Buffer, void, undefined> {
  let left = framing.kind === 'length' ? framing.bytes : Infinity;
  while (left > 0) {
    const bytes = await wire.read();
    if (bytes === undefined) {
      if (framing.kind === 'close') return;
      throw malformed(limit, 'it ended early');
    }
    const part = bytes.subarray(0, Math.min(bytes.length, left));
    wire.unread(bytes.subarray(part.length));
    left -= part.length;
    yield part;
  }
}

async function* chunked(wire: Wire, limit: BodyLimit): AsyncGenerator<Buffer, void, undefined> {
  for (;;) {
    const size = await readChunkSize(wire, limit);
    if (size === 0) {
      if ((await readExact(wire, 2, limit)).toString('latin1') !== '\r\n') throw malformed(limit, 'it has trailers');
      return;
    }
    if (size > limit.maxBytes) throw tooLarge(limit);
    yield* plain(wire, { kind: 'length', bytes: size }, limit);
    if ((await readExact(wire, 2, limit)).toString('latin1') !== '\r\n') throw malformed(limit, 'a chunk is longer than it says');
  }
}

async function readChunkSize(wire: Wire, limit: BodyLimit): Promise<number> {
  let line = '';
  while (!line.endsWith('\r\n')) {
    const bytes = await wire.read();
    if (bytes === undefined) throw malformed(limit, 'it ended early');
    const end = bytes.indexOf(10);
    const part = end === -1 ? bytes : bytes.subarray(0, end + 1);
    wire.unread(bytes.subarray(part.length));
    line += part.toString('latin1');
    if (line.length > 18 || (end !== -1 && !line.endsWith('\r\n'))) break;
  }
  const size = /^([0-9a-fA-F]{1,8})\r\n$/.exec(line)?.[1];
  if (size === undefined) throw malformed(limit, 'a chunk does not begin with its size alone');
  return Number.parseInt(size, 16);
}

async function readExact(wire: Wire, count: number, limit: BodyLimit): Promise<Buffer> {
  let have: Buffer = Buffer.alloc(0);
  while (have.length < count) {
    const bytes = await wire.read();
    if (bytes === undefined) throw malformed(limit, 'it ended early');
    have = Buffer.concat([have, bytes]);
  }
  wire.unread(have.subarray(count));
  return have.subarray(0, count);
}

/** Writes a body in its framing. @throws what reading or writing throws. */
export async function writeBody(wire: Wire, framing: Framing, body: AsyncIterable<Buffer>): Promise<void> {
  const isChunked = framing.kind === 'chunked';
  for await (const bytes of body) {
    if (bytes.length === 0) continue;
    await wire.write(isChunked ? Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, Buffer.from('\r\n')]) : bytes);
  }
  if (isChunked) await wire.write(Buffer.from('0\r\n\r\n'));
}

function malformed({ code }: BodyLimit, why: string): EgressError {
  return new EgressError(
    code,
    `The body of the ${code === 'egress.bad-answer' ? 'answer' : 'request'} is refused, because ${why}. Send it again, whole.`,
  );
}

function tooLarge({ code, maxBytes }: BodyLimit): EgressError {
  const what = code === 'egress.bad-answer' ? 'answer' : 'request';
  return new EgressError(
    'egress.too-large',
    `The body of the ${what} has more than ${maxBytes} bytes, which is the limit. Ask for less, or in parts.`,
  );
}
