import { newFenceFilter, type JournalEntry } from '../../contracts/journal.ts';
import type { FeedEvent } from '../../contracts/run-feed.ts';
import type { RunState, RunTotals } from '../../contracts/run.ts';
import { readWholeLines } from './read-lines.ts';

/** How a run's work ended, for now or for good. */
export interface RunEnd {
  readonly state: RunState;
  readonly reason: string;
  readonly output: string;
  readonly totals?: RunTotals;
}

/** Reads a journal from any place on, and remembers which holder is the last one. */
export interface JournalReader {
  /** Of the last line that was read. */
  readonly seq: number;
  /** The lines that were written since the last call, up to a line if one is given. */
  readNew(untilSeq?: number): AsyncGenerator<FeedEvent>;
}

/**
 * Follows a journal's lines. An entry of a holder that had already lost the run (a smaller fence than one before it) is
 * left out, and so is a line that cannot be read: the record's own readers report damage, a listener goes on.
 */
export function openJournalReader(file: string): JournalReader {
  let offset = 0;
  let seq = 0;
  const counts = newFenceFilter();
  return {
    get seq() {
      return seq;
    },
    async *readNew(untilSeq = Number.POSITIVE_INFINITY) {
      if (seq >= untilSeq) return;
      for await (const { text, end } of readWholeLines(file, offset)) {
        offset = end;
        seq += 1;
        const entry = parseEntry(text);
        if (entry !== undefined && counts(entry)) yield { seq, type: entry.kind, data: entry, json: text };
        if (seq >= untilSeq) return;
      }
    },
  };
}

function parseEntry(text: string): JournalEntry | undefined {
  try {
    const entry = JSON.parse(text) as JournalEntry | null;
    return typeof entry?.kind === 'string' ? entry : undefined;
  } catch {
    // silent-ok: what a journal's damage means is said by who works from it; a listener only misses the line.
    return undefined;
  }
}
