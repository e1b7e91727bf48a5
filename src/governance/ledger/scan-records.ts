import path from 'node:path';
import { listSegments, type Segment } from '../../state/segments.ts';
import { recordMatcher, type LedgerFilter, type LedgerRecord } from '../query-ledger.ts';
import { readChunks } from './read-chunks.ts';

/** Before a line of a stream. */
export interface LedgerPlace {
  /** 0: before all. */
  readonly segment: number;
  readonly offset: number;
}

/** Shared by the streams of one page. */
export interface ScanBudget {
  left: number;
}

/** Looks for the next record of one stream that matches. */
export interface LedgerScan {
  /** The record that was found and not yet left behind. */
  readonly head: LedgerRecord | undefined;
  /** It stopped before the stream's end, because enough was read. */
  readonly isSpent: boolean;
  /** Of `head`, or else of the first line that was not looked at. */
  readonly place: LedgerPlace;
  advance(): Promise<void>;
  close(): Promise<void>;
}

export interface ScanOptions {
  readonly dir: string;
  readonly stream: string;
  readonly from: LedgerPlace;
  readonly filter: LedgerFilter;
  readonly budget: ScanBudget;
}

interface Line {
  readonly segment: Segment;
  readonly offset: number;
  readonly bytes: number;
  readonly text: string;
}

/** Each stream reads at least one piece, so that every page moves on. */
export function openScan({ dir, stream, from, filter, budget }: ScanOptions): LedgerScan {
  const state = { isSpent: false };
  const lines = linesFrom({ segments: listSegments(path.join(dir, stream)), from, budget, state });
  const match = recordMatcher(filter);
  let head: LedgerRecord | undefined;
  let place = from;
  let after = from;
  return {
    get head() {
      return head;
    },
    get place() {
      return place;
    },
    get isSpent() {
      return state.isSpent;
    },
    advance: async () => {
      head = undefined;
      place = after;
      for (let next = await lines.next(); next.done !== true; next = await lines.next()) {
        const { segment, offset, bytes, text } = next.value;
        place = { segment: segment.number, offset };
        after = { segment: segment.number, offset: offset + bytes };
        head = match(text, { stream, file: path.join(stream, segment.name), line: 0 });
        if (head !== undefined) return;
        place = after;
      }
    },
    close: async () => void (await lines.return(undefined)),
  };
}

interface LineSource {
  readonly segments: readonly Segment[];
  readonly from: LedgerPlace;
  readonly budget: ScanBudget;
  readonly state: { isSpent: boolean };
}

async function* linesFrom({ segments, from, budget, state }: LineSource): AsyncGenerator<Line, undefined> {
  let isFirst = true;
  for (const segment of segments) {
    if (segment.number < from.segment) continue;
    let offset = segment.number === from.segment ? from.offset : 0;
    for await (const { bytes, isRest } of readChunks(segment.file, offset)) {
      if (isRest) break;
      if (!isFirst && budget.left <= 0) {
        state.isSpent = true;
        return undefined;
      }
      isFirst = false;
      budget.left -= bytes.length;
      for (let start = 0; start < bytes.length;) {
        const end = bytes.indexOf(10, start) + 1;
        yield { segment, offset: offset + start, bytes: end - start, text: bytes.toString('utf8', start, end - 1) };
        start = end;
      }
      offset += bytes.length;
    }
  }
  return undefined;
}
