import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import type { Reply, ReplyBatch, RequestBatch } from './operations.ts';
import { openQueueFile } from './open-store.ts';
import { runBatch } from './run-batch.ts';
import { Store } from './store.ts';

/**
 * The thread that writes to the queue's file. What arrives while it works or waits for the disk is its next transaction.
 * `null` ends it.
 */
const port = parentPort;
if (port === null) throw new Error('The queue writer runs as a thread only.');
const { file, maxBytes } = workerData as { file: string; maxBytes?: number };
const database = openQueueFile(file, maxBytes);
const store = new Store(database);

port.on('message', (first: RequestBatch | null) => {
  let isLast = first === null;
  const batches = first === null ? [] : [first];
  for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
    const batch = more.message as RequestBatch | null;
    if (batch === null) isLast = true;
    else batches.push(batch);
  }
  if (batches.length > 0) {
    const result = runBatch(
      store,
      batches.flatMap(({ requests }) => requests),
    );
    const numbers = batches.flatMap((batch) => batch.requests.map((_, index) => batch.first + index));
    const replies = result.replies.map((reply, index): readonly [number, Reply] => [numbers[index] ?? 0, reply]);
    port.postMessage({ replies, mayBeReady: result.mayBeReady } satisfies ReplyBatch);
  }
  if (!isLast) return;
  database[Symbol.dispose]();
  port.close();
});
