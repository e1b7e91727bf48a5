import fs from 'node:fs';
import { monotonicMs } from '../../contracts/clock.ts';
import { reasonOf, RetryableError } from '../../contracts/errors.ts';

/** The three system calls that can fail for lack of space or a broken disk; tests replace them. */
export interface AppendIo {
  write(fd: number, bytes: Uint8Array): number;
  sync(fd: number, done: (error: Error | null) => void): void;
  /** The same without another thread, holding up the process. */
  syncInPlace(fd: number): void;
  truncate(fd: number, size: number): void;
}

export const diskIo: AppendIo = {
  write: (fd, bytes) => fs.writeSync(fd, bytes),
  sync: (fd, done) => fs.fdatasync(fd, done),
  syncInPlace: (fd) => fs.fdatasyncSync(fd),
  truncate: (fd, size) => fs.ftruncateSync(fd, size),
};

export interface OpenedFile {
  readonly file: string;
  readonly fd: number;
  /** Bytes that stand there, all of them whole lines and durable. */
  readonly size: number;
}

export interface AppendFileOptions {
  readonly io?: AppendIo;
  /** Awaited before the first append is acknowledged: syncs of folders. */
  readonly ready?: Promise<void>;
  /**
   * Sync a lone line in place while the disk is fast and nobody else appends: handing it to another thread costs as much
   * again. For a file that all work of the process shares; with one file for each piece of work, they would wait for
   * each other.
   */
  readonly lonelyInPlace?: boolean;
  /** Called right before each write: when it throws, nothing is written, and nothing can be appended any more. */
  readonly guard?: () => void;
  /** Asked before each write, when everything before it is durable: the file to go on in, if it is another. */
  readonly rotate?: (current: OpenedFile) => OpenedFile | undefined;
}

const fastSyncMs = 2;
/** For so long an appender that goes on and on may keep the loop from turning. */
const turnMs = 5;
/** So many lone lines in a row show that there is one appender only. */
const lonelyLines = 16;

interface SyncResult {
  readonly error: Error | null;
  readonly bytes: number;
}

interface Waiter {
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/**
 * Appends lines to a file and acknowledges each when it is durable, many with one fdatasync.
 *
 * Idle → (append) → scheduled → (end of the tick's promise jobs) → flushing → idle, or scheduled again when appends
 * came meanwhile. The write is synchronous, because it only copies to the page cache and a partial one is then known at
 * once; the sync is not. A failed write or sync poisons the file: what was not acknowledged is cut off again, and every
 * append from then on rejects with the same error, for after a failed sync nobody can know what the disk holds.
 */
export class AppendFile implements AsyncDisposable {
  #target: OpenedFile;
  #durableBytes: number;
  readonly #io: AppendIo;
  #ready: Promise<void> | undefined;
  readonly #rotate: ((current: OpenedFile) => OpenedFile | undefined) | undefined;
  readonly #lonelyInPlace: boolean;
  readonly #guard: () => void;
  /** When the loop turned last, as far as this file knows. */
  #turnedMs = -Infinity;
  /** How long the last sync took. */
  #syncMs = Infinity;
  /** Lone lines to come before one is synced in place: others who work at the same time would be held up. */
  #crowd = 0;
  #lines: string[] = [];
  #waiters: Waiter[] = [];
  #isScheduled = false;
  #failure: Error | undefined;
  #closed: Promise<void> | undefined;
  #onIdle: (() => void) | undefined;

  constructor(target: OpenedFile, options: AppendFileOptions = {}) {
    this.#target = target;
    this.#durableBytes = target.size;
    this.#io = options.io ?? diskIo;
    this.#rotate = options.rotate;
    this.#lonelyInPlace = options.lonelyInPlace === true;
    this.#guard = options.guard ?? (() => undefined);
    this.#ready = options.ready;
    // The rejection is met by the first append; without one nobody needs the folder's name.
    this.#ready?.catch(() => undefined);
  }

  /** Resolves when the line and its newline are durable. The line itself holds no newline. */
  append(line: string): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#closed !== undefined) return Promise.reject(new Error(`${this.#target.file} is closed: nothing can be appended.`));
    return new Promise((resolve, reject) => {
      this.#lines.push(line);
      this.#waiters.push({ resolve, reject });
      this.#schedule();
    });
  }

  /** Waits for what was appended, then closes the file. */
  close(): Promise<void> {
    this.#closed ??= new Promise<void>((resolve) => {
      const finish = (): void => {
        fs.closeSync(this.#target.fd);
        resolve();
      };
      if (this.#isScheduled) this.#onIdle = finish;
      else finish();
    });
    return this.#closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * Not a promise job: both run when all of those are done, so that appenders woken together are one batch. Where lone
   * lines are synced in place it is setImmediate every few milliseconds, or an appender that goes on and on would never
   * let the loop turn.
   */
  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    if (!this.#lonelyInPlace || monotonicMs() - this.#turnedMs < turnMs) process.nextTick(() => this.#flush());
    else
      setImmediate(() => {
        this.#turnedMs = monotonicMs();
        this.#flush();
      });
  }

  #flush(): void {
    const waiters = this.#waiters;
    const bytes = Buffer.from(`${this.#lines.join('\n')}\n`);
    this.#lines = [];
    this.#waiters = [];
    try {
      this.#guard();
    } catch (error) {
      this.#failure = error as Error;
      this.#settle(waiters);
      return;
    }
    try {
      this.#target = this.#rotated();
      writeAll(this.#io, this.#target.fd, bytes);
    } catch (error) {
      this.#settle(waiters, error as Error);
      return;
    }
    this.#sync(waiters, bytes.length);
  }

  #sync(waiters: readonly Waiter[], bytes: number): void {
    const start = monotonicMs();
    const finish = (error: Error | null): void => {
      this.#syncMs = monotonicMs() - start;
      this.#finish(waiters, { error, bytes });
    };
    this.#crowd = waiters.length > 1 ? lonelyLines : Math.max(0, this.#crowd - 1);
    if (!this.#lonelyInPlace || this.#crowd > 0 || this.#syncMs > fastSyncMs) {
      this.#io.sync(this.#target.fd, finish);
      return;
    }
    try {
      this.#io.syncInPlace(this.#target.fd);
    } catch (error) {
      finish(error as Error);
      return;
    }
    finish(null);
  }

  /** Acknowledging a line costs no promise more than it must: only the first waits for what there is to wait for. */
  #finish(waiters: readonly Waiter[], { error, bytes }: SyncResult): void {
    if (this.#ready !== undefined) return void this.#finishWhenReady(this.#ready, waiters, { error, bytes });
    if (error === null) this.#durableBytes += bytes;
    this.#settle(waiters, error ?? undefined);
  }

  async #finishWhenReady(ready: Promise<void>, waiters: readonly Waiter[], result: SyncResult): Promise<void> {
    let { error } = result;
    try {
      await ready;
      this.#ready = undefined;
    } catch (late) {
      error ??= late as Error;
    }
    if (error === null) this.#durableBytes += result.bytes;
    this.#settle(waiters, error ?? undefined);
  }

  #rotated(): OpenedFile {
    const next = this.#rotate?.({ ...this.#target, size: this.#durableBytes });
    if (next === undefined) return this.#target;
    fs.closeSync(this.#target.fd);
    this.#durableBytes = next.size;
    return next;
  }

  #settle(waiters: readonly Waiter[], cause?: Error): void {
    if (cause !== undefined) this.#poison(cause);
    this.#isScheduled = false;
    for (const waiter of waiters) {
      if (this.#failure === undefined) waiter.resolve();
      else waiter.reject(this.#failure);
    }
    if (this.#failure !== undefined) {
      for (const waiter of this.#waiters) waiter.reject(this.#failure);
      this.#waiters = [];
      this.#lines = [];
    }
    if (this.#waiters.length > 0) this.#schedule();
    else this.#onIdle?.();
  }

  #poison(cause: Error): void {
    this.#failure = new RetryableError(
      'state.append-failed',
      `A record could not be made durable in ${this.#target.file}: ${reasonOf(cause)}. Nothing that depends on it may be done; make room or repair the disk, then try again.`,
      { cause },
    );
    try {
      this.#io.truncate(this.#target.fd, this.#durableBytes);
    } catch {
      // silent-ok: the next open cuts a torn line off, and the file takes no more from this process.
    }
  }
}

function writeAll(io: AppendIo, fd: number, bytes: Uint8Array): void {
  for (let done = 0; done < bytes.length;) done += io.write(fd, bytes.subarray(done));
}
