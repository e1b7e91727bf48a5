import type { FeedEvent } from '../../contracts/run-feed.ts';
import { terminalStates } from '../../contracts/run.ts';
import { openJournalReader, type JournalReader, type RunEnd } from './journal-events.ts';

export interface TailContext {
  readonly file: string;
  /** The end that the run's row tells, when it has one: a run may end without a journal. */
  readonly endOfRow: () => RunEnd | undefined;
}

/** Of one turn's text, until it stands in the journal. */
export interface LiveText {
  readonly type: 'text' | 'text.discarded';
  readonly turn: number;
  readonly data: unknown;
}

const maxEvents = 512;
const maxCharacters = 2_000_000;
const firstPollMs = 50;
const lastPollMs = 500;
/** A run that is being resumed has an ended row for a moment: the row counts when the journal stays silent so often. */
const quietReads = 3;

/**
 * The last events of one run, shared by everyone who listens to it: the file is read once, and a listener is a number
 * that counts through the ring. Who falls behind the ring reads what it missed from the file, so nobody's slowness
 * costs memory.
 *
 * Order: a part of a text comes behind its turn's `model.request` and is dropped once its `model.answer` was read,
 * although parts come from a bus and the rest from a file.
 */
export class JournalTail implements Disposable {
  readonly #ctx: TailContext;
  readonly #reader: JournalReader;
  #ring: { readonly event: FeedEvent; readonly size: number }[] = [];
  #size = 0;
  #start = 0;
  #requested = 0;
  #answered = 0;
  #pending: LiveText[] = [];
  #reading: Promise<void> | undefined;
  #isStale = true;
  #wakers = new Set<() => void>();
  #timer: NodeJS.Timeout | undefined;
  #pollMs = firstPollMs;
  #quietEnds = 0;
  #end: RunEnd | undefined;
  listeners = 0;

  constructor(ctx: TailContext) {
    this.#ctx = ctx;
    this.#reader = openJournalReader(ctx.file);
  }

  /** Number of the oldest event that is kept. */
  get start(): number {
    return this.#start;
  }

  /** Number of the event that will come next. */
  get next(): number {
    return this.#start + this.#ring.length;
  }

  /** Line of the journal that was read last. */
  get seq(): number {
    return this.#reader.seq;
  }

  /** How the run stands at the end of what was read: undefined while somebody works on it. */
  get end(): RunEnd | undefined {
    return this.#end;
  }

  get isEnded(): boolean {
    return this.#end !== undefined && terminalStates.has(this.#end.state);
  }

  at(number: number): FeedEvent | undefined {
    return this.#ring[number - this.#start]?.event;
  }

  /** Puts a part of a text into the ring, at its place. */
  publish(text: LiveText): void {
    if (text.turn <= this.#answered) return;
    if (text.turn > this.#requested) {
      if (this.#pending.length < maxEvents) this.#pending.push(text);
      this.nudge();
      return;
    }
    this.#pushText(text);
    this.#wake();
  }

  /** Something was written, or may have been. */
  nudge(): void {
    this.#pollMs = firstPollMs;
    void this.refresh().catch(() => {
      // silent-ok: an unreadable file is tried again at the next poll; listeners wait meanwhile.
    });
  }

  /** Reads what is new. Resolves when everything that was written before the call has been read. */
  async refresh(): Promise<void> {
    this.#isStale = true;
    while (this.#isStale || this.#reading !== undefined) {
      if (this.#reading === undefined) {
        this.#isStale = false;
        this.#reading = this.#readNew().finally(() => (this.#reading = undefined));
      }
      await this.#reading;
    }
  }

  /** Until there is something new, or the signal fires. */
  async changed(signal: AbortSignal): Promise<void> {
    if (signal.aborted) return;
    this.#schedule();
    const { promise, resolve } = Promise.withResolvers<void>();
    const wake = (): void => resolve();
    this.#wakers.add(wake);
    signal.addEventListener('abort', wake);
    await promise;
    signal.removeEventListener('abort', wake);
    this.#wakers.delete(wake);
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#wake();
  }

  async #readNew(): Promise<void> {
    // The row before the file: an end that the row tells is behind everything that the file will have.
    const endOfRow = this.#ctx.endOfRow();
    const before = this.next;
    for await (const event of this.#reader.readNew()) this.#take(event);
    this.#quietEnds = this.next === before && endOfRow !== undefined ? this.#quietEnds + 1 : 0;
    if (endOfRow !== undefined && !this.isEnded && this.#quietEnds >= (this.seq === 0 ? 1 : quietReads)) {
      this.#end = endOfRow;
      this.#push({ type: 'end', data: { kind: 'end', ...endOfRow } }, endOfRow.output.length);
    }
    if (this.next !== before) this.#wake();
  }

  #take(event: FeedEvent): void {
    const data = event.data as { readonly turn?: number };
    this.#push(event, event.json?.length ?? 0);
    if (event.type === 'end') this.#end = event.data as RunEnd;
    else if (event.type === 'resumed') this.#end = undefined;
    else if (event.type === 'model.answer' || event.type === 'model.error') this.#answered = data.turn ?? this.#answered;
    else if (event.type === 'model.request') {
      this.#requested = data.turn ?? this.#requested;
      const ready = this.#pending.filter(({ turn }) => turn <= this.#requested);
      this.#pending = this.#pending.filter(({ turn }) => turn > this.#requested);
      for (const text of ready) this.#pushText(text);
    }
  }

  #pushText({ type, data }: LiveText): void {
    const text = JSON.stringify(data);
    this.#push({ type, data, json: text }, text.length);
  }

  #push(event: FeedEvent, size: number): void {
    this.#ring.push({ event, size });
    this.#size += size;
    while (this.#ring.length > maxEvents || (this.#size > maxCharacters && this.#ring.length > 1)) {
      this.#size -= this.#ring.shift()?.size ?? 0;
      this.#start += 1;
    }
  }

  #wake(): void {
    const wakers = [...this.#wakers];
    this.#wakers.clear();
    for (const wake of wakers) wake();
  }

  /** One timer a run, however many listen; it slows down while nothing happens. */
  #schedule(): void {
    if (this.#timer !== undefined) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const before = this.next;
      void this.refresh()
        .catch(() => {
          // silent-ok: see nudge.
        })
        .finally(() => {
          this.#pollMs = this.next === before ? Math.min(lastPollMs, this.#pollMs * 1.5) : firstPollMs;
          if (this.#wakers.size > 0) this.#schedule();
        });
    }, this.#pollMs);
    this.#timer.unref();
  }
}
