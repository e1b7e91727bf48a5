import fs from 'node:fs/promises';
import path from 'node:path';
import { listSegments, type Segment } from '../../state/segments.ts';
import { recordMatcher, type LedgerFilter, type LedgerRecord } from '../query-ledger.ts';
import type { LedgerPlace } from './scan-records.ts';

export interface PlacedRecord {
  readonly record: LedgerRecord;
  /** Before its line. */
  readonly place: LedgerPlace;
}

export interface StreamTail {
  /** The newest that match, oldest first, at most `limit`. */
  readonly found: readonly PlacedRecord[];
  /** Everything from here on was looked at; undefined when that is the whole stream. */
  readonly from: LedgerPlace | undefined;
  /** Where it began to look. */
  readonly end: LedgerPlace;
}

export interface StreamTailOptions {
  readonly dir: string;
  readonly stream: string;
  readonly filter: LedgerFilter;
  readonly limit: number;
  readonly maxBytes: number;
  /** Only what stands before it; absent: up to the end. */
  readonly before: LedgerPlace | undefined;
}

/** Others are served between two pieces. */
const pieceBytes = 1024 * 1024;

/** Reads one stream backwards, about `maxBytes` of it and at least one piece, until enough records match. */
export async function tailStream({ dir, stream, filter, limit, maxBytes, before }: StreamTailOptions): Promise<StreamTail> {
  const segments = listSegments(path.join(dir, stream)).filter(({ number }) => before === undefined || number <= before.segment);
  const match = recordMatcher(filter);
  const found: PlacedRecord[] = [];
  let end: LedgerPlace | undefined;
  let left = maxBytes;
  for (let segment = segments.pop(), stop = Infinity; segment !== undefined;) {
    if (segment.number === before?.segment) stop = Math.min(stop, before.offset);
    const piece = await readBefore(segment, { stop, bytes: Math.min(left, pieceBytes), isLeftover: left < Math.min(maxBytes, pieceBytes) });
    end ??= { segment: segment.number, offset: piece.stop };
    found.unshift(...matching(piece.lines, { match, stream, segment }));
    if (found.length > limit) return { found: found.slice(-limit), from: found.at(-limit)?.place, end };
    left -= piece.stop - piece.start;
    const from = { segment: segment.number, offset: piece.from };
    if (piece.from > 0) stop = piece.from;
    else [segment, stop] = [segments.pop(), Infinity];
    if (segment !== undefined && (left <= 0 || piece.isTooShort)) return { found, from, end };
  }
  return { found, from: undefined, end: end ?? { segment: 0, offset: 0 } };
}

type Line = Piece['lines'][number];

function matching(
  lines: readonly Line[],
  { match, stream, segment }: { readonly match: ReturnType<typeof recordMatcher>; readonly stream: string; readonly segment: Segment },
): readonly PlacedRecord[] {
  return lines.flatMap(({ text, offset }) => {
    const record = match(text, { stream, file: path.join(stream, segment.name), line: 0 });
    return record === undefined ? [] : [{ record, place: { segment: segment.number, offset } }];
  });
}

interface Piece {
  readonly lines: readonly { readonly text: string; readonly offset: number }[];
  readonly start: number;
  readonly stop: number;
  /** Of the first line that was read; what stands before it is for the next piece. */
  readonly from: number;
  /** It was too little for a line, and only what was left of a page's bytes. */
  readonly isTooShort?: boolean;
}

interface PieceOptions {
  readonly stop: number;
  readonly bytes: number;
  readonly isLeftover: boolean;
}

/** The whole lines among the last bytes before a place; what begins before them, or does not end, is none. */
async function readBefore({ file }: Segment, { stop: most, bytes: wanted, isLeftover }: PieceOptions): Promise<Piece> {
  await using handle = await fs.open(file, 'r');
  const stop = Math.min(most, (await handle.stat()).size);
  const start = Math.max(0, stop - Math.max(1, wanted));
  const { buffer, bytesRead } = await handle.read(Buffer.alloc(stop - start), 0, stop - start, start);
  const bytes = buffer.subarray(0, bytesRead);
  const skipped = start === 0 ? 0 : bytes.indexOf(10) + 1;
  // A line that is longer than a whole piece is passed over, so that every page moves on.
  if (start > 0 && (skipped === 0 || skipped === bytes.length))
    return isLeftover ? { lines: [], start, stop, from: stop, isTooShort: true } : { lines: [], start, stop, from: start };
  const lines: { text: string; offset: number }[] = [];
  for (let at = skipped, next = bytes.indexOf(10, at); next >= 0; at = next + 1, next = bytes.indexOf(10, at))
    lines.push({ text: bytes.toString('utf8', at, next), offset: start + at });
  return { lines, start, stop, from: start + skipped };
}
