import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { listSegments, type Segment } from '../state/segments.ts';
import { readChunks } from './ledger/read-chunks.ts';
import { byTime, ledgerStreams, readSegment, type LedgerFilter, type LedgerRecord } from './query-ledger.ts';

/** How far a stream was read: bytes and lines of one of its segments. */
export interface StreamPosition {
  readonly segment: number;
  readonly offset: number;
  readonly line: number;
}

export interface FollowOptions {
  readonly signal: AbortSignal;
  /** How often the files are looked at. Default 250 ms. */
  readonly pollMs?: number;
  /** From `ledgerEnd`: records behind it are followed. Default: the end when the first record is asked for. */
  readonly from?: ReadonlyMap<string, StreamPosition>;
}

/** Where every stream ends now, at whole records. */
export async function ledgerEnd(dir: string): Promise<Map<string, StreamPosition>> {
  const end = new Map<string, StreamPosition>();
  for (const stream of ledgerStreams(dir)) {
    const last = listSegments(path.join(dir, stream)).at(-1);
    if (last !== undefined) end.set(stream, await endOf(last));
  }
  return end;
}

/** Records as they are written, by any process, until the signal ends it. A stream that appears later is followed too. */
export async function* followLedger(dir: string, filter: LedgerFilter, options: FollowOptions): AsyncGenerator<LedgerRecord> {
  const positions = new Map(options.from ?? (await ledgerEnd(dir)));
  while (!options.signal.aborted) {
    yield* await readNew(dir, filter, positions);
    try {
      await sleep(options.pollMs ?? 250, undefined, { signal: options.signal });
    } catch {
      // silent-ok: the signal is how following ends.
      return;
    }
  }
}

async function endOf(segment: Segment): Promise<StreamPosition> {
  let offset = 0;
  let line = 0;
  for await (const { bytes, isRest } of readChunks(segment.file)) {
    if (isRest) break;
    offset += bytes.length;
    for (let at = bytes.indexOf(10); at >= 0; at = bytes.indexOf(10, at + 1)) line += 1;
  }
  return { segment: segment.number, offset, line };
}

async function readNew(dir: string, filter: LedgerFilter, positions: Map<string, StreamPosition>): Promise<LedgerRecord[]> {
  const found: LedgerRecord[] = [];
  for (const stream of ledgerStreams(dir)) {
    for (const segment of listSegments(path.join(dir, stream))) {
      const known = positions.get(stream) ?? { segment: 1, offset: 0, line: 0 };
      if (segment.number < known.segment) continue;
      const position = segment.number === known.segment ? known : { segment: segment.number, offset: 0, line: 0 };
      if (fs.statSync(segment.file).size > position.offset)
        positions.set(stream, await readFrom(stream, segment, { filter, position, found }));
    }
  }
  return found.toSorted(byTime);
}

async function readFrom(
  stream: string,
  segment: Segment,
  state: { readonly filter: LedgerFilter; readonly position: StreamPosition; readonly found: LedgerRecord[] },
): Promise<StreamPosition> {
  let { offset, line } = state.position;
  const onRead = (bytes: number, lines: number): void => {
    offset += bytes;
    line += lines;
  };
  for await (const record of readSegment({ stream, segment, from: state.position, onRead }, state.filter)) state.found.push(record);
  return { segment: segment.number, offset, line };
}
