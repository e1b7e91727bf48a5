import fs from 'node:fs';
import path from 'node:path';
import { listSegments, type Segment } from '../state/segments.ts';
import { openScan, type LedgerPlace, type LedgerScan, type ScanBudget } from './ledger/scan-records.ts';
import { tailStream, type StreamTail } from './ledger/tail-stream.ts';
import { byTime, ledgerStreams, type LedgerFilter, type LedgerRecord } from './query-ledger.ts';

export interface LedgerPageRequest {
  readonly filter: LedgerFilter;
  readonly limit: number;
  /** That of the page before. */
  readonly cursor?: string | undefined;
  /** About so much is read for one page, whatever matches. Default 16 MiB. */
  readonly maxBytes?: number;
}

export interface LedgerPage {
  readonly records: readonly LedgerRecord[];
  /** Where the next page begins; undefined when everything that is there now was read. */
  readonly next?: string;
}

export const cursorShape = /^(b~)?s\d{2,6}\.\d{1,6}\.\d{1,12}(~s\d{2,6}\.\d{1,6}\.\d{1,12}){0,199}$/;
const defaultBytes = 16 * 1024 * 1024;

/**
 * A page of the records that match, oldest first over all streams.
 *
 * Contract: pages that follow each other's cursors hold each matching record once, in order, but for what is written
 * behind a place that was read; a page reads about `maxBytes` and at least moves on, so one may be empty although more
 * follow; a cursor says where to read and opens no other file than the ledger's own.
 */
export async function pageLedger(dir: string, { filter, limit, cursor, maxBytes = defaultBytes }: LedgerPageRequest): Promise<LedgerPage> {
  const places = cursor === undefined ? undefined : placesOf(cursor);
  const budget: ScanBudget = { left: maxBytes };
  const scans = ledgerStreams(dir).map((stream) => {
    const from = places === undefined ? startOf(path.join(dir, stream), filter) : (places.get(stream) ?? firstPlace);
    return { stream, scan: openScan({ dir, stream, from, filter, budget }) };
  });
  try {
    const records: LedgerRecord[] = [];
    for (const { scan } of scans) await scan.advance();
    for (;;) {
      if (scans.some(({ scan }) => scan.isSpent)) break;
      const first = earliest(scans.map(({ scan }) => scan));
      if (first?.head === undefined) return { records };
      if (records.length === limit) break;
      records.push(first.head);
      await first.advance();
    }
    return { records, next: cursorOf(scans.map(({ stream, scan }) => [stream, scan.place])) };
  } finally {
    for (const { scan } of scans) await scan.close();
  }
}

function earliest(scans: readonly LedgerScan[]): LedgerScan | undefined {
  // Sorting is stable: of the same time, the first stream's comes first.
  return scans.filter(({ head }) => head !== undefined).toSorted(byHead)[0];
}

function byHead({ head: a }: LedgerScan, { head: b }: LedgerScan): number {
  return a === undefined || b === undefined ? 0 : byTime(a, b);
}

const firstPlace: LedgerPlace = { segment: 0, offset: 0 };

/** Segments that end before the time that is asked for are not read. */
function startOf(dir: string, { sinceMs }: LedgerFilter): LedgerPlace {
  if (sinceMs === undefined) return firstPlace;
  const segments = listSegments(dir);
  const later = segments.findIndex((segment, index) => index > 0 && firstTime(segment) > sinceMs);
  const start = segments[later === -1 ? segments.length - 1 : later - 1];
  return { segment: start?.number ?? 0, offset: 0 };
}

/** Of the first record; of a segment that cannot be read: the beginning of time, so that it is not skipped. */
function firstTime({ file }: Segment): number {
  const fd = fs.openSync(file, 'r');
  try {
    const buffer = Buffer.alloc(64 * 1024);
    const text = buffer.toString('utf8', 0, fs.readSync(fd, buffer, 0, buffer.length, 0));
    return Date.parse(String((JSON.parse(text.slice(0, Math.max(0, text.indexOf('\n')))) as { readonly at?: unknown }).at)) || -Infinity;
  } catch {
    // silent-ok: a damaged line is what verification reports; here it only costs reading more.
    return -Infinity;
  } finally {
    fs.closeSync(fd);
  }
}

function cursorOf(places: readonly (readonly [string, LedgerPlace])[]): string {
  return places.map(([stream, { segment, offset }]) => `${stream}.${segment}.${offset}`).join('~');
}

/** Streams that are not in it appeared later, and are read from their beginning. */
function placesOf(cursor: string): ReadonlyMap<string, LedgerPlace> {
  return new Map(
    cursor.split('~').map((part) => {
      const [stream = '', segment, offset] = part.split('.');
      return [stream, { segment: Number(segment), offset: Number(offset) }];
    }),
  );
}

/** Marks a cursor that leads to older records. */
const backwards = 'b~';

export function leadsBack(cursor: string): boolean {
  return cursor.startsWith(backwards);
}

/**
 * The newest records that match, oldest first, among the last `maxBytes` before the cursor.
 *
 * Contract: as of `pageLedger`, but each page holds older records than the one before: in the order of times, as long as
 * one page's bytes hold as many of each stream as match.
 */
export async function tailPage(dir: string, { filter, limit, cursor, maxBytes = defaultBytes }: LedgerPageRequest): Promise<LedgerPage> {
  const places = cursor === undefined ? undefined : placesOf(cursor.slice(backwards.length));
  // A stream that is not in the cursor was read to its beginning, or appeared later.
  const streams = ledgerStreams(dir).filter((stream) => places === undefined || places.has(stream));
  const share = Math.floor(maxBytes / streams.length);
  const tails: (readonly [string, StreamTail])[] = [];
  for (const stream of streams)
    tails.push([stream, await tailStream({ dir, stream, filter, limit, before: places?.get(stream), maxBytes: share })]);
  const all = tails.flatMap(([, { found }]) => found).toSorted((a, b) => byTime(a.record, b.record));
  const page = new Set(all.slice(-limit));
  const rest = tails.flatMap(([stream, { found, from, end }]): (readonly [string, LedgerPlace])[] => {
    const first = found.findIndex((one) => page.has(one));
    // What was found and is older than the page is found again.
    const place = first < 0 && found.length > 0 ? end : first > 0 ? found[first]?.place : from;
    return place === undefined ? [] : [[stream, place]];
  });
  const records = [...page].map(({ record }) => record);
  return rest.length === 0 ? { records } : { records, next: backwards + cursorOf(rest) };
}
