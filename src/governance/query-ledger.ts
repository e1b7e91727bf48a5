import fs from 'node:fs';
import path from 'node:path';
import type { LedgerEvent, LedgerEventType } from '../contracts/ledger.ts';
import { listSegments, type Segment } from '../state/segments.ts';
import { readChunks } from './ledger/read-chunks.ts';

/** One record as it stands in the ledger, with its place. It is read, not verified: that is verifyLedger's work. */
export interface LedgerRecord {
  readonly stream: string;
  readonly seq: number;
  readonly hash: string;
  /** Relative to the ledger's folder, and 1-based. */
  readonly file: string;
  readonly line: number;
  readonly event: LedgerEvent;
  /** The stored line. */
  readonly text: string;
}

/** All that are given must hold. */
export interface LedgerFilter {
  readonly run?: string;
  readonly agent?: string;
  readonly type?: LedgerEventType;
  readonly tool?: string;
  /** Inclusive. */
  readonly sinceMs?: number;
  /** Exclusive. */
  readonly untilMs?: number;
}

/** The records that match, in the order of their times over all streams. Lines that are no records are left out. */
export async function* readLedger(dir: string, filter: LedgerFilter = {}): AsyncGenerator<LedgerRecord> {
  const sources = ledgerStreams(dir).map((stream) => readStream(dir, stream, filter));
  try {
    let heads = await Promise.all(sources.map(async (source) => ({ source, next: await source.next() })));
    for (;;) {
      heads = heads.filter(({ next }) => next.done !== true);
      const [first, ...others] = heads;
      if (first === undefined) return;
      const earliest = others.reduce((best, head) => (timeOf(head.next.value) < timeOf(best.next.value) ? head : best), first);
      yield earliest.next.value as LedgerRecord;
      earliest.next = await earliest.source.next();
    }
  } finally {
    // Whoever stops early must not leave files open.
    for (const source of sources) await source.return(undefined);
  }
}

/** The last `count` records that match, oldest first. Reads segments backwards, and no more of them than it needs. */
export async function tailLedger(dir: string, count: number, filter: LedgerFilter = {}): Promise<LedgerRecord[]> {
  const found: LedgerRecord[] = [];
  for (const stream of ledgerStreams(dir)) {
    const tail: LedgerRecord[] = [];
    for (const segment of listSegments(path.join(dir, stream)).toReversed()) {
      const records: LedgerRecord[] = [];
      for await (const record of readSegment({ stream, segment }, filter)) {
        records.push(record);
        if (records.length > count) records.shift();
      }
      tail.unshift(...records);
      if (tail.length >= count) break;
    }
    found.push(...tail.slice(-count));
  }
  return count === 0 ? [] : found.toSorted(byTime).slice(-count);
}

/** Names of the streams that lie in a ledger's folder. */
export function ledgerStreams(dir: string): string[] {
  if (!fs.existsSync(dir)) return [];
  return fs
    .readdirSync(dir, { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && /^s\d{2,6}$/.test(entry.name))
    .map((entry) => entry.name)
    .toSorted();
}

export function byTime(a: LedgerRecord, b: LedgerRecord): number {
  return a.event.at < b.event.at ? -1 : a.event.at > b.event.at ? 1 : 0;
}

export interface SegmentSource {
  readonly stream: string;
  readonly segment: Segment;
  /** Bytes and lines that are already known. */
  readonly from?: { readonly offset: number; readonly line: number };
  /** Hears how many bytes of how many whole lines were read. */
  readonly onRead?: (bytes: number, lines: number) => void;
}

/** The records of whole lines in one segment that match. */
export async function* readSegment(source: SegmentSource, filter: LedgerFilter): AsyncGenerator<LedgerRecord> {
  const { stream, segment, from = { offset: 0, line: 0 }, onRead } = source;
  const match = recordMatcher(filter);
  let line = from.line;
  for await (const { bytes, isRest } of readChunks(segment.file, from.offset)) {
    if (isRest) return;
    const texts = bytes.toString('utf8').split('\n');
    texts.pop();
    onRead?.(bytes.length, texts.length);
    for (const text of texts) {
      line += 1;
      const record = match(text, { stream, file: path.join(stream, segment.name), line });
      if (record !== undefined) yield record;
    }
  }
}

export type RecordPlace = Pick<LedgerRecord, 'stream' | 'file' | 'line'>;

/** The record that a stored line is, if it matches; undefined for what does not, and for what is no record. */
export function recordMatcher(filter: LedgerFilter): (text: string, place: RecordPlace) => LedgerRecord | undefined {
  const matches = matcherOf(filter);
  return (text, place) => {
    const record = matches(text) ? toRecord(text, place) : undefined;
    return record !== undefined && isWithin(record.event, filter) ? record : undefined;
  };
}

async function* readStream(dir: string, stream: string, filter: LedgerFilter): AsyncGenerator<LedgerRecord> {
  for (const segment of listSegments(path.join(dir, stream))) yield* readSegment({ stream, segment }, filter);
}

function timeOf(record: LedgerRecord): string {
  return record.event.at;
}

/** Looks at the text only, so that most lines are never parsed; what passes is looked at again. */
function matcherOf(filter: LedgerFilter): (text: string) => boolean {
  const parts = (['run', 'agent', 'type', 'tool'] as const)
    .filter((field) => filter[field] !== undefined)
    .map((field) => `"${field}":${JSON.stringify(filter[field])}`);
  return (text) => parts.every((part) => text.includes(part));
}

function isWithin(event: LedgerEvent, filter: LedgerFilter): boolean {
  const fields = event as { readonly [key: string]: unknown };
  for (const field of ['run', 'agent', 'type', 'tool'] as const) {
    if (filter[field] !== undefined && fields[field] !== filter[field]) return false;
  }
  const atMs = Date.parse(event.at);
  return atMs >= (filter.sinceMs ?? -Infinity) && atMs < (filter.untilMs ?? Infinity);
}

function toRecord(text: string, place: RecordPlace): LedgerRecord | undefined {
  try {
    const { seq, prev: _prev, hash, ...event } = JSON.parse(text) as Record<string, unknown>;
    if (typeof seq !== 'number' || typeof hash !== 'string' || typeof event['at'] !== 'string') return undefined;
    return { ...place, seq, hash, event: event as unknown as LedgerEvent, text };
  } catch {
    // silent-ok: a damaged line is what verification reports; a query shows what can be read.
    return undefined;
  }
}
