import { Socket } from 'node:net';
import { type FifoPaths, openStdin } from './fifos.ts';

export type StdinSource = string | Uint8Array | AsyncIterable<Uint8Array>;

/** Writes a command's input and closes it, which is the command's end of file. `stop` gives up the rest. */
export function feedStdin(paths: FifoPaths, source: StdinSource): { stop(): void } {
  const socket = new Socket({ fd: openStdin(paths), readable: false, writable: true });
  socket.on('error', () => {}); // silent-ok: the reader ended first; what it did not read is discarded
  if (typeof source === 'string' || source instanceof Uint8Array) {
    socket.end(source);
    return { stop: () => socket.destroy() };
  }
  const iterator = source[Symbol.asyncIterator]();
  void pump(iterator, socket);
  return {
    stop() {
      socket.destroy();
      iterator.return?.().catch(() => {}); // silent-ok: the source is not needed any more
    },
  };
}

async function pump(iterator: AsyncIterator<Uint8Array>, socket: Socket): Promise<void> {
  try {
    for (let next = await iterator.next(); next.done !== true && !socket.destroyed; next = await iterator.next()) {
      if (!socket.write(next.value)) await drained(socket);
    }
  } catch {
    // silent-ok: a source that breaks is an input that ends
  }
  socket.end();
}

async function drained(socket: Socket): Promise<void> {
  await new Promise<void>((resolve) => {
    socket.once('drain', resolve);
    socket.once('close', resolve);
  });
}
