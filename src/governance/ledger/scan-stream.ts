import { hash } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { ledgerEvents } from '../../contracts/ledger.ts';
import { listSegments, segmentAt } from '../../state/segments.ts';
import { checkRecord, genesisHash, isTornRecord, suffixBytes } from './frame.ts';
import type { ProblemList } from './problem.ts';
import { readChunks } from './read-chunks.ts';

/** A head that somebody signed, and where that stands. */
export interface SignedHead {
  readonly seq: number;
  readonly hash: string;
  readonly source: string;
}

export interface StreamScan {
  readonly rows: number;
  readonly segments: number;
  readonly seq: number;
  readonly hash: string;
  /** `checkpoint` records and the line they name. */
  readonly references: readonly { readonly file: string; readonly line: number; readonly seq: number; readonly checkpoint: string }[];
  /** Bytes of an unfinished last line. */
  readonly tornBytes: number;
}

export interface ScanStreamContext {
  readonly dir: string;
  readonly problems: ProblemList;
  /** Also parse every event with its schema: slow. */
  readonly schema: boolean;
}

const checkpointMark = '"type":"checkpoint"';

interface Cursor {
  readonly stream: string;
  readonly heads: SignedHead[];
  readonly references: { file: string; line: number; seq: number; checkpoint: string }[];
  readonly context: ScanStreamContext;
  seq: number;
  prev: string;
  rows: number;
  file: string;
  line: number;
}

/** Checks one stream from its first byte to its last, against the heads that were signed for it. */
export async function scanStream(stream: string, signed: readonly SignedHead[], context: ScanStreamContext): Promise<StreamScan> {
  const dir = path.join(context.dir, stream);
  const heads = signed.toSorted((a, b) => a.seq - b.seq);
  const cursor: Cursor = { stream, heads, references: [], context, seq: 0, prev: genesisHash(stream), rows: 0, file: stream, line: 0 };
  checkHeads(cursor, 0, cursor.prev);
  const segments = checkNames(dir, stream, context.problems);
  let tornBytes = 0;
  for (const [index, segment] of segments.entries()) {
    cursor.file = path.join(stream, segment.name);
    cursor.line = 0;
    const rest = await scanSegment(cursor, segment.file);
    const isLast = index === segments.length - 1;
    if (cursor.line === 0 && !isLast)
      context.problems.add(cursor.file, 0, 'the segment holds no record, but another follows: its records were removed.');
    if (isLast && isTornRecord(rest, prefixOf(cursor))) tornBytes = rest.length;
    else if (rest.length > 0)
      context.problems.add(
        cursor.file,
        cursor.line + 1,
        'bytes stand behind the last record that no crash leaves: they were put there, or the end of the last record was changed.',
      );
  }
  for (const head of cursor.heads) {
    context.problems.add(
      cursor.file,
      cursor.line,
      `record ${head.seq} was signed by ${head.source}, but stream ${stream} ends at record ${cursor.seq}: its tail was cut off.`,
    );
  }
  return { rows: cursor.rows, segments: segments.length, seq: cursor.seq, hash: cursor.prev, references: cursor.references, tornBytes };
}

/** Checks every whole line; returns the bytes behind the last newline. */
async function scanSegment(cursor: Cursor, file: string): Promise<Buffer> {
  try {
    for await (const { bytes, isRest } of readChunks(file)) {
      if (isRest) return bytes;
      for (let start = 0, end = bytes.indexOf(10); end >= 0; start = end + 1, end = bytes.indexOf(10, start))
        checkLine(cursor, bytes, { start, end });
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    cursor.context.problems.add(
      cursor.file,
      cursor.line + 1,
      'the line is longer than any record of the ledger; the rest of the file was not read.',
    );
  }
  return Buffer.alloc(0);
}

function prefixOf(cursor: Cursor): string {
  return `{"seq":${cursor.seq + 1},"prev":"${cursor.prev}",`;
}

/** The fast path: two comparisons at known places and one hash, no JSON. Whatever does not fit is looked at closely. */
function checkLine(cursor: Cursor, buffer: Buffer, range: { readonly start: number; readonly end: number }): void {
  const { start, end } = range;
  cursor.line += 1;
  cursor.rows += 1;
  const prefix = prefixOf(cursor);
  const bodyEnd = end - suffixBytes;
  const isNext = bodyEnd > start + prefix.length && buffer.toString('latin1', start, start + prefix.length) === prefix;
  const digest = isNext ? hash('sha256', buffer.subarray(start, bodyEnd), 'hex') : '';
  if (!isNext || buffer.toString('latin1', bodyEnd, end) !== `,"hash":"${digest}"}`) {
    lookClosely(cursor, buffer.toString('utf8', start, end));
    return;
  }
  cursor.seq += 1;
  cursor.prev = digest;
  if (cursor.heads[0]?.seq === cursor.seq) checkHeads(cursor, cursor.seq, digest);
  const typeAt = start + prefix.length;
  // `"type":"c…`: only checkpoint and config.change go on to the comparison.
  if (buffer[typeAt + 8] === 0x63 && buffer.toString('latin1', typeAt, typeAt + checkpointMark.length) === checkpointMark)
    collectReference(cursor, buffer.toString('utf8', start, end));
  if (cursor.context.schema) checkSchema(cursor, buffer.toString('utf8', start, end));
}

function checkHeads(cursor: Cursor, seq: number, digest: string): void {
  while (cursor.heads[0] !== undefined && cursor.heads[0].seq <= seq) {
    const head = cursor.heads.shift() as SignedHead;
    if (head.seq !== seq || head.hash === digest) continue;
    cursor.context.problems.add(
      cursor.file,
      cursor.line,
      `record ${seq} of stream ${cursor.stream} is not the one that was signed by ${head.source}: the stream was rewritten.`,
    );
  }
}

/** Names what is wrong with a line and goes on behind it, so that one change is one problem or two, not thousands. */
function lookClosely(cursor: Cursor, line: string): void {
  const { problems } = cursor.context;
  const record = checkRecord(line);
  if (record === undefined) {
    const named = /^\{"seq":(\d{1,16}),"prev":"([0-9a-f]{64})",.*,"hash":"([0-9a-f]{64})"\}$/.exec(line);
    problems.add(
      cursor.file,
      cursor.line,
      named === null
        ? 'the line is not a record of the ledger.'
        : `record ${named[1]} was changed: its bytes do not have the hash that stands at its end.`,
    );
    cursor.seq += 1;
    cursor.prev = named?.[3] ?? '';
  } else {
    problems.add(cursor.file, cursor.line, sentenceOf(cursor, record));
    cursor.seq = record.seq;
    cursor.prev = record.hash;
  }
  checkHeads(cursor, cursor.seq, cursor.prev);
}

function sentenceOf(cursor: Cursor, record: { readonly seq: number }): string {
  const expected = cursor.seq + 1;
  if (record.seq > expected) return `record ${record.seq} follows record ${cursor.seq}: ${record.seq - expected} between them are missing.`;
  if (record.seq < expected) return `record ${record.seq} stands behind record ${cursor.seq}: it was inserted, repeated or moved.`;
  return `record ${record.seq} does not follow the one before it: one of them was changed, or records between two openings were replaced.`;
}

function collectReference(cursor: Cursor, line: string): void {
  const { checkpoint } = JSON.parse(line) as { checkpoint: string };
  cursor.references.push({ file: cursor.file, line: cursor.line, seq: cursor.seq, checkpoint });
}

function checkSchema(cursor: Cursor, line: string): void {
  const { seq, prev: _prev, hash: _hash, ...event } = JSON.parse(line) as Record<string, unknown>;
  const schema = Object.hasOwn(ledgerEvents, String(event['type'])) ? ledgerEvents[event['type'] as keyof typeof ledgerEvents] : undefined;
  const issue = schema?.safeParse(event).error?.issues[0];
  if (schema === undefined)
    cursor.context.problems.add(
      cursor.file,
      cursor.line,
      `record ${String(seq)} is of type ${String(event['type'])}, which this build does not know.`,
    );
  else if (issue !== undefined)
    cursor.context.problems.add(
      cursor.file,
      cursor.line,
      `record ${String(seq)} does not match the schema of ${String(event['type'])} at "${issue.path.join('.')}".`,
    );
}

/** Segments are numbered from 1 without a gap; a file that looks like one and is not was renamed or copied. */
function checkNames(dir: string, stream: string, problems: ProblemList): { readonly name: string; readonly file: string }[] {
  const segments = listSegments(dir);
  for (const name of fs.readdirSync(dir)) {
    if (name.includes('.jsonl') && !segments.some((segment) => segment.name === name))
      problems.add(path.join(stream, name), 0, 'the file is not a segment that the ledger writes: a segment was renamed or copied.');
  }
  for (const [index, segment] of segments.entries()) {
    const expected = segments[index - 1] === undefined ? 1 : (segments[index - 1]?.number ?? 0) + 1;
    if (segment.number !== expected)
      problems.add(path.join(stream, segmentAt(dir, expected).name), 0, `the segment is missing: ${segment.name} follows.`);
  }
  return segments;
}
