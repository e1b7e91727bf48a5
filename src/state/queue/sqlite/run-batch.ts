import type { Operations, Reply, Request } from './operations.ts';
import { ackTask, extendLease, nakTask } from './end-lease.ts';
import { forgetTasks, pauseScope, removeTasks, requeueTasks, setShare } from './manage-tasks.ts';
import { leaseTasks } from './lease-tasks.ts';
import { putTasks } from './put-tasks.ts';
import { NeedsSync, type Store } from './store.ts';

export interface BatchResult {
  readonly replies: readonly Reply[];
  readonly mayBeReady: boolean;
}

/**
 * Runs requests that arrived together as one transaction; when that fails, each by itself, so that one tenant's too
 * large put is not the failure of another's ack.
 *
 * A transaction that puts, makes dead, pauses, requeues or removes is synced. Without one it is safe from the death
 * of every process, but a power cut may take it; what that costs is bounded: a lost lease, extension, ack or nak is a
 * task that is delivered again, with a larger fence (`Store.nextFence`), which is what at-least-once promises anyway.
 */
export function runBatch(store: Store, requests: readonly Request[]): BatchResult {
  try {
    return runTogether(store, requests);
  } catch (error) {
    const failure = failureOf(error);
    // Whoever holds the lock holds up all of them: each by itself would wait as long again.
    if (requests.length > 1 && !busyCodes.has(failure.code)) return runEach(store, requests);
    return { replies: requests.map(() => ({ failure })), mayBeReady: false };
  }
}

const busyCodes = new Set([5, 6]);

function runTogether(store: Store, requests: readonly Request[], isSynced = requests.some(needsSync)): BatchResult {
  try {
    const replies = store.transact(isSynced, () => requests.map((request) => ({ answer: runRequest(store, request) })));
    return { replies, mayBeReady: store.mayBeReady };
  } catch (error) {
    if (error instanceof NeedsSync) return runTogether(store, requests, true);
    throw error;
  }
}

function runEach(store: Store, requests: readonly Request[]): BatchResult {
  const results = requests.map((request) => runBatch(store, [request]));
  return { replies: results.flatMap(({ replies }) => replies), mayBeReady: results.some(({ mayBeReady }) => mayBeReady) };
}

function needsSync(request: Request): boolean {
  return !['lease', 'extend', 'ack', 'nak', 'forget'].includes(request.kind);
}

/** Within a transaction. */
export function runRequest(store: Store, request: Request): Operations[Request['kind']]['answer'] {
  const { at } = request;
  switch (request.kind) {
    case 'put':
      return putTasks(store, request.ask, at);
    case 'lease':
      return leaseTasks(store, request.ask, at);
    case 'extend':
      return extendLease(store, request.ask, at);
    case 'ack':
      return ackTask(store, request.ask, at);
    case 'nak':
      return nakTask(store, request.ask, at);
    case 'requeue':
      return requeueTasks(store, request.ask, at);
    case 'remove':
      return removeTasks(store, request.ask);
    case 'pause':
      return pauseScope(store, request.ask);
    case 'share':
      return setShare(store, request.ask);
    case 'forget':
      return forgetTasks(store, request.ask);
  }
}

function failureOf(error: unknown): { code: number; message: string } {
  const { errcode, message } = error as { errcode?: number; message?: string };
  return { code: (errcode ?? 0) & 0xff, message: message ?? String(error) };
}
