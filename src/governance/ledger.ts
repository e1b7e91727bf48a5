import assert from 'node:assert/strict';
import { makeDurableDir } from '../state/durable-dir.ts';
import type { Clock } from '../contracts/clock.ts';
import { ledgerEvents, takesLedgerEvent, type LedgerEvent, type LedgerPosition, type LedgerWriter } from '../contracts/ledger.ts';
import type { Log } from '../state/log.ts';
import { orNotWritable } from '../state/not-writable.ts';
import { openLog, type LogOptions } from '../state/open-log.ts';
import { addCheckpoint, isSigned, lastCheckpoint } from './checkpoint-log.ts';
import { checkpointHash, type StreamHead } from './checkpoint.ts';
import { claimStream, type ClaimedStream } from './ledger/claim-stream.ts';
import { checkRecord, encodeRecord, genesisHash } from './ledger/frame.ts';
import { loadSigningKey, type SigningKey } from './ledger/signing-key.ts';

export { isClaimAlive } from './ledger/claim-stream.ts';
export { readPublicKey } from './ledger/signing-key.ts';

export interface LedgerOptions {
  /** The tenant's ledger folder. */
  readonly dir: string;
  /** The private key that signs checkpoints: outside every workspace; made on first use. */
  readonly keyFile: string;
  /** Other ledgers that are signed with it: a key that is gone while one of them is signed was lost, and is not made anew. */
  readonly otherDirs?: () => readonly string[];
  readonly clock: Clock;
  readonly maxSegmentBytes?: number;
  /** A checkpoint after so many records. Default 1000. */
  readonly checkpointRecords?: number;
  /** A checkpoint when records have been waiting for one so long. Default 60 s. */
  readonly checkpointMs?: number;
  /** Told of every event when it is appended; must not throw. For figures and logs: nothing may depend on it. */
  readonly onAppend?: (event: LedgerEvent) => void;
  /** Replaces the disk's system calls, for tests of failures. */
  readonly io?: NonNullable<LogOptions['io']>;
}

/** A tenant's ledger, open for this process: one stream that it alone continues. */
export interface Ledger extends LedgerWriter, AsyncDisposable {
  readonly stream: string;
  /** Names this process's hold on the stream; `isClaimAlive` tells whether it still has it. */
  readonly claimId: string;
  /** Sentences for a human about what was found at opening: a torn record cut off, a damaged stream left alone. */
  readonly notices: readonly string[];
  /** After a full disk: goes on behind what is durable, as the next append does. @throws why it takes no more records. */
  reopen(): Promise<void>;
  /** Signs where the streams end, when there is something new; the line's hash. */
  checkpoint(): Promise<string>;
}

/**
 * Opens the ledger: takes a free stream, cuts off what a crash tore, and announces a new stream in a signed checkpoint
 * before its first record.
 *
 * What is durable in which order, so that a power loss never looks like tampering:
 * 1. the stream's folder and its name, then a checkpoint that names the stream (so a signed stream has a folder, and a
 *    stream with records is signed: one that is missing or unannounced was removed or put there by somebody);
 * 2. a segment's name before its first record, and all of a segment before the next one's name (log/jsonl.ts);
 * 3. a record, before its append resolves; what was not acknowledged is at the end of the stream, and less than a
 *    record of it may be there: that is cut off at the next opening, and `ledger.recovered` says so;
 * 4. a record, before a checkpoint signs it: only acknowledged heads are signed;
 * 5. the checkpoint's line, before the `checkpoint` record that names it: a line without a record is a crash between
 *    the two, a record without its line is tampering.
 *
 * @throws FixRequestError for a key that others may read; AskHumanError for checkpoints that cannot be continued, or a lost key;
 * RetryableError when the folder cannot be written.
 */
export async function openLedger(options: LedgerOptions): Promise<Ledger> {
  const key = loadSigningKey(options.keyFile, () => [options.dir, ...(options.otherDirs?.() ?? [])].find(isSigned));
  orNotWritable(options.dir, () => makeDurableDir(options.dir));
  const last = lastCheckpoint(options.dir, key.publicKey);
  const signed = last?.checkpoint.heads ?? {};
  const claimed = await claimStream(options.dir, signed, options.clock.now());
  try {
    const log = await openStream(options, claimed.dir);
    const ledger = new StreamLedger(options, { claimed, log, key, lastCheckpoint: last === undefined ? '' : checkpointHash(last.line) });
    if (signed[claimed.stream] === undefined) await ledger.announce();
    if (log.droppedBytes > 0) await ledger.recordRecovery(log.droppedBytes);
    return ledger;
  } catch (error) {
    claimed.claim.release();
    throw error;
  }
}

async function openStream({ maxSegmentBytes, io }: LedgerOptions, dir: string): Promise<Log> {
  return await openLog({
    driver: 'jsonl',
    dir,
    ...(maxSegmentBytes === undefined ? {} : { maxSegmentBytes }),
    ...(io === undefined ? {} : { io }),
  });
}

/** A write that the disk had no room for, and no sync. */
function isOutOfRoom({ cause }: Error): boolean {
  const { code, syscall = '' } = (cause ?? {}) as NodeJS.ErrnoException;
  return (code === 'ENOSPC' || code === 'EDQUOT') && !syscall.includes('sync');
}

class StreamLedger implements Ledger {
  readonly stream: string;
  readonly claimId: string;
  readonly notices: string[];
  readonly #options: LedgerOptions;
  readonly #key: SigningKey;
  readonly #dir: string;
  #log: Log;
  readonly #release: () => void;
  /** The last record that was handed to the log, and the last that it acknowledged. */
  #head: StreamHead;
  #durable: StreamHead;
  /** Up to here nothing waits for a checkpoint. */
  #signedSeq: number;
  /** Where the last try of a checkpoint began, so that a failing one is not tried at every record. */
  #triedSeq: number;
  #lastCheckpoint: string;
  #checkpointing: Promise<string> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #lastWrite: Promise<unknown> = Promise.resolve();
  #failure: Error | undefined;
  #reopening: Promise<void> | undefined;

  constructor(
    options: LedgerOptions,
    parts: { readonly claimed: ClaimedStream; readonly log: Log; readonly key: SigningKey; readonly lastCheckpoint: string },
  ) {
    this.#options = options;
    this.#key = parts.key;
    this.#log = parts.log;
    this.#dir = parts.claimed.dir;
    this.#lastCheckpoint = parts.lastCheckpoint;
    this.stream = parts.claimed.stream;
    this.claimId = parts.claimed.claimId;
    this.notices = [...parts.claimed.notices];
    this.#release = () => parts.claimed.claim.release();
    this.#head = parts.claimed.head;
    this.#durable = parts.claimed.head;
    this.#signedSeq = parts.claimed.signedSeq;
    this.#triedSeq = parts.claimed.signedSeq;
  }

  async reopen(): Promise<void> {
    if (this.#failure === undefined) return;
    this.#reopening ??= this.#goOn(this.#failure).finally(() => (this.#reopening = undefined));
    await this.#reopening;
  }

  append(event: LedgerEvent): Promise<LedgerPosition> {
    assertValid(event);
    const position = this.#failure === undefined ? this.#write(event) : this.#writeAgain(event);
    this.#options.onAppend?.(event);
    if (this.#head.seq - Math.max(this.#signedSeq, this.#triedSeq) >= (this.#options.checkpointRecords ?? 1000)) this.#checkpointSoon();
    this.#timer ??= setTimeout(() => this.#checkpointSoon(), this.#options.checkpointMs ?? 60_000).unref();
    return position;
  }

  /** One at a time: a call while one is made gets the next, for the one under way may not cover the newest records. */
  checkpoint(): Promise<string> {
    const make = (): Promise<string> => this.#makeCheckpoint();
    const next = this.#checkpointing === undefined ? make() : this.#checkpointing.then(make, make);
    this.#checkpointing = next;
    const clear = (): void => {
      if (this.#checkpointing === next) this.#checkpointing = undefined;
    };
    next.then(clear, clear);
    return next;
  }

  /** The stream's first checkpoint, made before it has any record. */
  async announce(): Promise<void> {
    this.#lastCheckpoint = checkpointHash(
      await addCheckpoint(this.#options.dir, { stream: this.stream, head: this.#durable, at: this.#at() }, this.#key),
    );
  }

  async recordRecovery(droppedBytes: number): Promise<void> {
    this.notices.push(
      `The last record of the ledger stream ${this.stream} was torn by a crash before it was acknowledged: its ${droppedBytes} bytes were cut off.`,
    );
    await this.append({ type: 'ledger.recovered', at: this.#at(), stream: this.stream, droppedBytes });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    clearTimeout(this.#timer);
    await this.#lastWrite.catch(() => undefined);
    try {
      // What could not be appended is known to who appended it.
      if (this.#failure === undefined) await this.checkpoint();
    } finally {
      await this.#log[Symbol.asyncDispose]();
      this.#release();
    }
  }

  #write(event: LedgerEvent): Promise<LedgerPosition> {
    const record = encodeRecord(this.#head.seq + 1, this.#head.hash, event);
    const head = { seq: this.#head.seq + 1, hash: record.hash };
    this.#head = head;
    const position = this.#store(record.line, head);
    this.#lastWrite = position;
    return position;
  }

  async #store(line: string, head: StreamHead): Promise<LedgerPosition> {
    try {
      await this.#log.append(line);
    } catch (error) {
      this.#failure = error as Error;
      throw error;
    }
    this.#durable = head;
    return { stream: this.stream, ...head };
  }

  /** What there was no room for was cut off and is known to have failed, so the stream goes on behind what is durable. */
  async #writeAgain(event: LedgerEvent): Promise<LedgerPosition> {
    await this.reopen();
    return await this.#write(event);
  }

  /**
   * Only after a write for which there was no room: after a failed sync nobody knows what the disk holds, and the process
   * must end. Only behind the last acknowledged record: one that could not be cut off may vanish when the power fails.
   */
  async #goOn(failure: Error): Promise<void> {
    if (!isOutOfRoom(failure)) throw failure;
    await this.#lastWrite.catch(() => undefined);
    await this.#log[Symbol.asyncDispose]();
    const log = await openStream(this.#options, this.#dir);
    const last = log.lastLine === undefined ? { seq: 0, hash: genesisHash(this.stream) } : checkRecord(log.lastLine);
    if (last?.seq !== this.#durable.seq || last.hash !== this.#durable.hash) {
      await log[Symbol.asyncDispose]();
      throw failure;
    }
    this.#log = log;
    this.#head = this.#durable;
    this.#failure = undefined;
  }

  async #makeCheckpoint(): Promise<string> {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#triedSeq = this.#head.seq;
    await this.#lastWrite;
    const head = this.#durable;
    if (head.seq === this.#signedSeq) return this.#lastCheckpoint;
    const line = await addCheckpoint(this.#options.dir, { stream: this.stream, head, at: this.#at() }, this.#key);
    this.#lastCheckpoint = checkpointHash(line);
    const { seq } = await this.#write({ type: 'checkpoint', at: this.#at(), checkpoint: this.#lastCheckpoint });
    this.#signedSeq = seq === head.seq + 1 ? seq : head.seq;
    return this.#lastCheckpoint;
  }

  #checkpointSoon(): void {
    if (this.#checkpointing !== undefined) return;
    // silent-ok: the records are durable and chained; the next checkpoint, at the latest the one at closing, signs them.
    this.checkpoint().catch(() => undefined);
  }

  #at(): string {
    return new Date(this.#options.clock.now()).toISOString();
  }
}

/** An invalid record would stay for ever: whoever builds one has a bug. */
function assertValid(event: LedgerEvent): void {
  assert(Object.hasOwn(ledgerEvents, event.type), `${event.type} is not an event of the ledger`);
  if (takesLedgerEvent[event.type](event)) return;
  const problems = ledgerEvents[event.type].safeParse(event).error?.issues ?? [];
  const [first] = problems;
  assert(first === undefined, `the ledger event ${event.type} does not match its schema at "${first?.path.join('.')}" (${first?.code})`);
}
