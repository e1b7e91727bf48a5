import { subscribe } from 'node:diagnostics_channel';

/**
 * Loaded into a server and its children by `NODE_OPTIONS=--import`: what a defect of this program would do. A process whose
 * model answers with the header `x-defect` takes memory, on the heap or beside it, does nothing
 * any more, or holds on to something for ever.
 */
const kept: unknown[] = [];
/** So that a guard that fails costs a test and not the machine. */
const mostMb = 2000;

const defects: Readonly<Record<string, () => void>> = {
  heap: () => void setInterval(() => kept.push(Array(1_000_000).fill(1)), 5),
  buffers: () =>
    void setInterval(() => {
      if (process.memoryUsage.rss() < mostMb * 2 ** 20) kept.push(Buffer.alloc(16 << 20, 1));
    }, 20),
  hold: () => void setInterval(() => {}, 1000),
  hang: () => void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0),
};

subscribe('http.client.response.finish', (message) => {
  const { response } = message as { readonly response: { readonly headers: Readonly<Record<string, string | string[] | undefined>> } };
  defects[String(response.headers['x-defect'])]?.();
});
