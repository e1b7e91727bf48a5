import { Worker } from 'node:worker_threads';
import { AskHumanError, RetryableError } from '../../../contracts/errors.ts';
import type { Database } from '../../database.ts';
import { packRequests, type ReplyBatch, type RequestBatch } from './batches.ts';
import { LoneWriter } from './lone-writer.ts';
import type { Asked, Failure, Moment, OperationKind, Operations } from './operations.ts';

export interface WriterOptions {
  readonly file: string;
  readonly now: () => Moment;
  /** Called when a transaction of this process may have made something ready. */
  readonly onReady: () => void;
  /** Bound of the file. */
  readonly maxBytes?: number | undefined;
  /** The thread's program, for tests of one that dies. */
  readonly program?: URL;
  /** The caller's connection; without one everything is the thread's to do. */
  readonly database?: Database | undefined;
}

interface Waiter {
  readonly resolve: (answer: never) => void;
  readonly reject: (error: Error) => void;
}

/**
 * So often nothing may have been under way before requests are done here again: while many come, one transaction of the
 * thread for several of them is cheaper, and so is one connection that knows the pages instead of two that change them.
 */
const calmAfter = 8;

/** Of what broke outside of SQLite. */
const unknownCode = 0;

/**
 * The side of the callers: sends requests to the writer's thread, those of one tick together, and settles each when its
 * transaction is over. The thread starts with the first request, keeps the process alive only while something is
 * pending, and is started anew when it died. What is short, and needs no sync or a fast one, is done here and now when
 * nothing is under way: two threads of a process never write at the same time.
 */
export class Writer implements AsyncDisposable {
  readonly #options: WriterOptions;
  readonly #waiters = new Map<number, Waiter>();
  readonly #lone: LoneWriter | undefined;
  #worker: Worker | undefined;
  #outbox: Asked[] = [];
  #next = 0;
  /** How often in a row requests came while nothing was under way. */
  #calm = calmAfter;
  #closed: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(options: WriterOptions) {
    this.#options = options;
    this.#lone = options.database === undefined ? undefined : new LoneWriter(options.database);
  }

  send<K extends OperationKind>(kind: K, ask: Operations[K]['ask']): Promise<Operations[K]['answer']> {
    if (this.#closed !== undefined)
      return Promise.reject(new Error(`The queue ${this.#options.file} is closed: nothing can be asked of it.`));
    return new Promise((resolve, reject) => {
      this.#waiters.set(this.#next + this.#outbox.length, { resolve, reject });
      if (this.#outbox.length === 0) process.nextTick(() => this.#flush());
      this.#outbox.push({ kind, ask } as Asked);
    });
  }

  /** Waits for what was sent. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed ??= this.#close();
    await this.#closed;
  }

  #flush(): void {
    const requests = this.#outbox;
    const first = this.#next;
    this.#next += requests.length;
    this.#outbox = [];
    const isUnderWay = this.#waiters.size > requests.length;
    this.#calm = isUnderWay ? 0 : this.#calm + 1;
    const done = this.#calm > calmAfter ? this.#lone?.run(requests, this.#options.now()) : undefined;
    if (done === undefined) this.#post(packRequests(first, requests, this.#options.now()));
    else this.#settle({ first, ...done });
  }

  #post(batch: RequestBatch): void {
    this.#worker ??= this.#start();
    this.#worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
    this.#worker.postMessage(batch);
  }

  #start(): Worker {
    const { file, maxBytes, program = new URL('./writer-thread.ts', import.meta.url) } = this.#options;
    // Without the flags of the process: some are for its own program only.
    const worker = new Worker(program, { workerData: { file, maxBytes }, execArgv: [] });
    worker.on('message', (batch: ReplyBatch) => {
      this.#settle(batch);
      if (this.#waiters.size === 0) worker.unref();
    });
    worker.on('error', (error) => this.#fail(worker, error));
    worker.on('exit', () => this.#fail(worker, new Error('its thread ended')));
    return worker;
  }

  #settle({ first, answers, failures, mayBeReady, hasReserved, syncMs }: ReplyBatch): void {
    if (hasReserved) this.#lone?.allowFences();
    if (syncMs !== undefined) this.#lone?.noteSync(syncMs);
    for (const [index, answer] of answers.entries()) {
      const waiter = this.#waiters.get(first + index);
      const failure = failures.get(index);
      this.#waiters.delete(first + index);
      if (failure === undefined) waiter?.resolve(answer as never);
      else waiter?.reject(this.#failure(failure));
    }
    if (this.#waiters.size === 0) this.#onIdle?.();
    if (mayBeReady) this.#options.onReady();
  }

  /** Whether the thread did what was asked nobody knows; asking again is safe, for a put has its key. */
  #fail(worker: Worker, cause: Error): void {
    if (this.#worker !== worker) return;
    this.#worker = undefined;
    const sent = [...this.#waiters].filter(([number]) => number < this.#next);
    for (const [number, waiter] of sent) {
      this.#waiters.delete(number);
      waiter.reject(
        new RetryableError(
          'state.queue-writer-ended',
          `The writer of the queue ${this.#options.file} ended before it answered: ${cause.message}. Try again: the next request starts a new one.`,
          { cause },
        ),
      );
    }
    if (this.#waiters.size === 0) this.#onIdle?.();
  }

  async #close(): Promise<void> {
    if (this.#waiters.size > 0) await new Promise<void>((resolve) => (this.#onIdle = resolve));
    const worker = this.#worker;
    if (worker === undefined) return;
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    this.#worker = undefined;
    worker.ref();
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
    worker.postMessage(null);
    await ended;
  }

  #failure({ code, message }: Failure): Error {
    const { file } = this.#options;
    switch (code) {
      case unknownCode:
        return new Error(`The queue ${file} failed: ${message}`);
      case 5:
      case 6:
        return new RetryableError(
          'state.queue-busy',
          `The queue ${file} is locked by another process for too long: ${message}. Try again.`,
        );
      case 11:
      case 26:
        return new AskHumanError('state.queue-damaged', `The queue ${file} is damaged: ${message}. Stop, and restore it from a backup.`);
      default:
        return new RetryableError(
          'state.queue-not-written',
          `The queue ${file} cannot be written: ${message}. Nothing of the request was stored; make room or make it writable, then try again.`,
          // As SQLite threw it on the writer's thread, for who tells a full disk from other failures.
          { cause: Object.assign(new Error(message), { errcode: code }) },
        );
    }
  }
}
