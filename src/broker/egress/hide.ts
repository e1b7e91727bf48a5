import { EgressError } from '../egress-error.ts';
import { valuesOf, type Headers } from '../http1/head.ts';
import { hidingPairs, type Placeholder } from '../placeholders.ts';
import { createByteSwap, swapText } from '../swap-bytes.ts';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly body: AsyncIterable<Buffer>;
  /** The body is another than the server's: its length is not known. */
  readonly isChanged: boolean;
}

/**
 * Puts tokens where secrets stand, in headers and body, whatever the parts it comes in. A compressed body is
 * decompressed first. @throws EgressError for an encoding that cannot be looked through.
 */
export function hideSecrets(answer: Answer, placeholders: readonly Placeholder[], maxBytes: number): Answer {
  if (placeholders.length === 0) return answer;
  const pairs = hidingPairs(placeholders);
  const encodings = valuesOf(answer.headers, 'content-encoding')
    .flatMap((value) => value.split(','))
    .map((value) => value.trim().toLowerCase())
    .filter((value) => value !== '' && value !== 'identity');
  const headers = answer.headers
    .filter(([name]) => name !== 'content-encoding')
    .map(([name, value]) => [swapText(name, pairs), swapText(value, pairs)] as const);
  const plain = encodings.reduceRight<AsyncIterable<Buffer>>((body, encoding) => decode(body, encoding), answer.body);
  return { status: answer.status, headers, body: hidden(limited(plain, maxBytes), pairs), isChanged: true };
}

async function* hidden(body: AsyncIterable<Buffer>, pairs: ReturnType<typeof hidingPairs>): AsyncGenerator<Buffer, void, undefined> {
  const swap = createByteSwap(pairs);
  for await (const bytes of body) yield swap.push(bytes);
  yield swap.flush();
}

async function* limited(body: AsyncIterable<Buffer>, maxBytes: number): AsyncGenerator<Buffer, void, undefined> {
  let size = 0;
  for await (const bytes of body) {
    size += bytes.length;
    if (size > maxBytes)
      throw new EgressError('egress.too-large', `The answer has more than ${maxBytes} bytes when unpacked. Ask for less.`);
    yield bytes;
  }
}

async function* decode(body: AsyncIterable<Buffer>, encoding: string): AsyncGenerator<Buffer, void, undefined> {
  const unpack = unpacker(encoding);
  const { Readable, pipeline } = process.getBuiltinModule('node:stream');
  // silent-ok: reading `unpack` throws the same error
  pipeline(Readable.from(body), unpack, () => undefined);
  try {
    for await (const bytes of unpack) yield bytes as Buffer;
  } catch (error) {
    if (error instanceof EgressError) throw error;
    throw new EgressError('egress.bad-answer', `The answer says it is packed as ${encoding}, and it is not. Try again.`, { cause: error });
  }
}

function unpacker(encoding: string) {
  const zlib = process.getBuiltinModule('node:zlib');
  if (encoding === 'gzip' || encoding === 'x-gzip') return zlib.createGunzip();
  if (encoding === 'deflate') return zlib.createInflate();
  if (encoding === 'br') return zlib.createBrotliDecompress();
  if (encoding === 'zstd') return zlib.createZstdDecompress();
  const shown = JSON.stringify(encoding.slice(0, 40));
  throw new EgressError(
    'egress.bad-answer',
    `The answer is packed as ${shown}, which cannot be searched for secrets. Ask for it unpacked.`,
  );
}
