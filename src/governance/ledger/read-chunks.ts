import fs from 'node:fs';

const chunkBytes = 1024 * 1024;
/** Longer than any record; without a limit a file without newlines would be read into memory whole. */
const maxLineBytes = 4 * chunkBytes;

export interface Chunk {
  /** Whole lines, each with its newline; or, at the end, the bytes behind the last newline. Valid until the next chunk. */
  readonly bytes: Buffer;
  readonly isRest: boolean;
}

/**
 * The bytes of a file of lines from an offset on, in big pieces of whole lines; the last piece is the rest.
 * @throws RangeError for a line beyond 4 MiB.
 */
export async function* readChunks(file: string, offset = 0): AsyncGenerator<Chunk> {
  await using handle = await fs.promises.open(file, 'r');
  let buffer: Buffer = Buffer.allocUnsafe(chunkBytes);
  let filled = 0;
  let position = offset;
  for (;;) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, position);
    if (bytesRead === 0) break;
    position += bytesRead;
    filled += bytesRead;
    const end = buffer.subarray(0, filled).lastIndexOf(10) + 1;
    if (end > 0) yield { bytes: buffer.subarray(0, end), isRest: false };
    buffer.copyWithin(0, end, filled);
    filled -= end;
    if (filled === buffer.length) buffer = doubled(buffer, file);
  }
  if (filled > 0) yield { bytes: buffer.subarray(0, filled), isRest: true };
}

function doubled(buffer: Buffer, file: string): Buffer {
  if (buffer.length >= maxLineBytes) throw new RangeError(`${file} holds a line of more than ${maxLineBytes} bytes`);
  const bigger = Buffer.allocUnsafe(buffer.length * 2);
  buffer.copy(bigger);
  return bigger;
}
