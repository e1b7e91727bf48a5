import path from 'node:path';
import type { RunId, TenantId } from '../contracts/ids.ts';
import type { FeedEvent, RunFeed } from '../contracts/run-feed.ts';
import { terminalStates, type RunState } from '../contracts/run.ts';
import { openEndWaiters, type EndWaiters } from './feed/end-waiters.ts';
import { openJournalReader, type RunEnd } from './feed/journal-events.ts';
import { JournalTail } from './feed/journal-tail.ts';
import type { Home } from './home.ts';
import type { Runs } from './runs.ts';

export type { RunEnd } from './feed/journal-events.ts';

export interface RunFeedContext {
  readonly home: Pick<Home, 'runDir'>;
  readonly runs: Pick<Runs, 'get' | 'stateOf'>;
}

export interface RunRef {
  readonly tenant: TenantId;
  readonly run: RunId;
}

/**
 * What a worker of this process tells while a run goes on; of these, only parts of a text are not in the journal.
 * `run.ended` comes last, when journal and row hold the end.
 */
export interface LiveEvent extends Partial<RunEnd> {
  readonly type: string;
  readonly turn?: number;
  readonly delta?: string;
}

export interface OpenRunFeed extends RunFeed, Disposable {
  follow(run: RunRef, afterSeq: number, signal: AbortSignal): AsyncGenerator<FeedEvent, void>;
  /**
   * From a worker in this process: listeners hear of what was written at once, and get texts part by part, as events
   * `text` with `{turn, at, delta}`, where `at` is how many characters of the turn came before.
   */
  publish(run: RunRef, event: LiveEvent): void;
  /** How the run ended or why it waits; undefined when the signal fired first. Holds no process and reads no file twice. */
  waitUntilSettled(run: RunRef, signal: AbortSignal): Promise<RunEnd | undefined>;
  /** Runs that somebody listens to. */
  readonly followed: number;
}

interface LiveTurn {
  turn: number;
  characters: number;
}

/**
 * Opens the feed of a home's runs.
 *
 * Contract:
 * - every event that is in the journal comes once, in order, whichever process writes it;
 * - one file is read once, however many listen to it;
 * - a listener that is slow misses parts of texts first, and nothing of the journal;
 * - what a run wrote without being listened to costs nothing but a number.
 */
export function openRunFeed(ctx: RunFeedContext): OpenRunFeed {
  const tails = new Map<RunId, JournalTail>();
  const turns = new Map<RunId, LiveTurn>();
  const ends = openEndWaiters();
  return {
    follow: (run, afterSeq, signal) => follow(ctx, tails, { run, afterSeq, signal }),
    publish: (run, event) => {
      publish(tails.get(run.run), turns, { run, event });
      const { type, state, reason = '', output = '', totals } = event;
      if (type === 'run.ended' && state !== undefined)
        ends.tell(run.run, { state, reason, output, ...(totals === undefined ? {} : { totals }) });
    },
    waitUntilSettled: async (run, signal) => await waitUntilSettled({ ctx, tails, ends }, { run, signal }),
    get followed() {
      return tails.size + ends.size;
    },
    [Symbol.dispose]: () => {
      for (const tail of tails.values()) tail[Symbol.dispose]();
      tails.clear();
      turns.clear();
    },
  };
}

interface Listening {
  readonly ctx: RunFeedContext;
  readonly tails: Map<RunId, JournalTail>;
  readonly ends: EndWaiters;
}

interface Following {
  readonly run: RunRef;
  readonly afterSeq: number;
  readonly signal: AbortSignal;
}

async function* follow(
  ctx: RunFeedContext,
  tails: Map<RunId, JournalTail>,
  { run, afterSeq, signal }: Following,
): AsyncGenerator<FeedEvent> {
  using listening = listenTo(ctx, tails, run);
  const { tail, file } = listening;
  await tail.refresh();
  let seen = afterSeq;
  let at = 0;
  while (!signal.aborted) {
    if (at < tail.start) {
      const mark = { seq: tail.seq, next: tail.next };
      for await (const event of openJournalReader(file).readNew(mark.seq)) {
        if (signal.aborted) return;
        if (event.seq === undefined || event.seq <= seen) continue;
        seen = event.seq;
        yield event;
      }
      at = mark.next;
      continue;
    }
    const event = tail.at(at);
    if (event === undefined) {
      if (tail.isEnded) return;
      await tail.changed(signal);
      continue;
    }
    at += 1;
    if (event.seq !== undefined && event.seq <= seen) continue;
    seen = event.seq ?? seen;
    yield event;
  }
}

/** A worker of this process tells the end, and costs no look at the disk; what others work on is read when its row has ended. */
async function waitUntilSettled(
  { ctx, tails, ends }: Listening,
  { run, signal }: Omit<Following, 'afterSeq'>,
): Promise<RunEnd | undefined> {
  const told = await ends.wait(run.run, { signal, isOver: () => isSettled(ctx.runs.stateOf(run.run)) });
  if (told !== undefined || signal.aborted) return told;
  using listening = listenTo(ctx, tails, run);
  const { tail } = listening;
  await tail.refresh();
  while (!signal.aborted) {
    if (tail.end !== undefined) return tail.end;
    await tail.changed(signal);
  }
  return undefined;
}

/** A run that nobody knows has no row to wait for. */
function isSettled(state: RunState | undefined): boolean {
  return state === undefined || state === 'waiting' || terminalStates.has(state);
}

function listenTo(
  ctx: RunFeedContext,
  tails: Map<RunId, JournalTail>,
  { tenant, run }: RunRef,
): { readonly tail: JournalTail; readonly file: string } & Disposable {
  const file = path.join(ctx.home.runDir(tenant, run), 'journal.jsonl');
  const tail = tails.get(run) ?? new JournalTail({ file, endOfRow: () => endOfRow(ctx, run) });
  tails.set(run, tail);
  tail.listeners += 1;
  return {
    tail,
    file,
    [Symbol.dispose]: () => {
      tail.listeners -= 1;
      if (tail.listeners > 0) return;
      tail[Symbol.dispose]();
      tails.delete(run);
    },
  };
}

function endOfRow(ctx: RunFeedContext, run: RunId): RunEnd | undefined {
  const row = ctx.runs.get(run);
  if (row === undefined || !terminalStates.has(row.state)) return undefined;
  return { state: row.state, reason: row.reason, output: '' };
}

function publish(
  tail: JournalTail | undefined,
  turns: Map<RunId, LiveTurn>,
  { run: { run }, event }: { readonly run: RunRef; readonly event: LiveEvent },
): void {
  const { type } = event;
  if (type === 'run.ended') turns.delete(run);
  if (type === 'turn') turns.set(run, { turn: event.turn ?? 0, characters: 0 });
  const live = turns.get(run);
  if (live === undefined || (type !== 'text' && type !== 'text.discarded')) {
    tail?.nudge();
    return;
  }
  const at = type === 'text' ? live.characters : 0;
  live.characters = type === 'text' ? at + (event.delta?.length ?? 0) : 0;
  const data = type === 'text' ? { turn: live.turn, at, delta: event.delta } : { turn: live.turn, reason: event.reason };
  tail?.publish({ type, turn: live.turn, data });
}
