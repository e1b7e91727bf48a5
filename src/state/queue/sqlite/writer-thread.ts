import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { packReplies, unpackRequests, type ReplyBatch, type RequestBatch } from './batches.ts';
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

port.on('message', (message: RequestBatch | null) => {
  let isLast = message === null;
  const batches = message === null ? [] : [message];
  for (let more = receiveMessageOnPort(port); more !== undefined; more = receiveMessageOnPort(port)) {
    const batch = more.message as RequestBatch | null;
    if (batch === null) isLast = true;
    else batches.push(batch);
  }
  // Of batches that wait together each begins where the one before ends.
  const [first] = batches;
  if (first !== undefined) {
    const requests = batches.flatMap(unpackRequests);
    const beganMs = performance.now();
    const { replies, mayBeReady } = runBatch(store, requests);
    const syncMs = requests.some(({ kind }) => kind === 'put') ? performance.now() - beganMs : undefined;
    port.postMessage({
      first: first.first,
      ...packReplies(replies),
      mayBeReady,
      hasReserved: store.hasReserved,
      syncMs,
    } satisfies ReplyBatch);
  }
  if (!isLast) return;
  database[Symbol.dispose]();
  port.close();
});
