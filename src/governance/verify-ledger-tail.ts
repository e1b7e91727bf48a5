import path from 'node:path';
import { listSegments } from '../state/segments.ts';
import { readTail } from '../state/read-log.ts';
import { checkpointFileName } from './checkpoint-log.ts';
import { parseCheckpoint } from './checkpoint.ts';
import { checkRecord } from './ledger/frame.ts';
import { readChunks } from './ledger/read-chunks.ts';
import { ledgerStreams } from './query-ledger.ts';

export interface TailReport {
  readonly rows: number;
  /** One sentence each. */
  readonly problems: readonly string[];
}

/**
 * Checks the last segment of every stream: each record has its own hash and names the one before, and the newest
 * checkpoint is signed and names what stands there. Quick on a ledger of any size; `verifyLedger` reads all of it.
 */
export async function verifyLedgerTail(dir: string): Promise<TailReport> {
  const problems: string[] = [];
  const { lastLine } = readTail(path.join(dir, checkpointFileName));
  const checkpoint = lastLine === undefined ? undefined : parseCheckpoint(lastLine);
  if (typeof checkpoint === 'string') problems.push(`the last checkpoint is not valid: ${checkpoint}.`);
  const heads = typeof checkpoint === 'object' ? checkpoint.heads : {};
  let rows = 0;
  for (const stream of ledgerStreams(dir)) {
    const segment = listSegments(path.join(dir, stream)).at(-1);
    if (segment === undefined) continue;
    const found = await scanSegment(segment.file, heads[stream]);
    rows += found.rows;
    problems.push(...found.problems.map((problem) => `${stream}/${segment.name}: ${problem}`));
  }
  return { rows, problems };
}

async function scanSegment(file: string, signed: { readonly seq: number; readonly hash: string } | undefined): Promise<TailReport> {
  let last: { readonly seq: number; readonly hash: string } | undefined;
  let rows = 0;
  for await (const { bytes, isRest } of readChunks(file)) {
    if (isRest) break;
    for (const line of bytes.toString('utf8').trimEnd().split('\n')) {
      rows += 1;
      const record = checkRecord(line);
      if (record === undefined) return { rows, problems: [`line ${rows} is not a record with its own hash: it was changed.`] };
      if (last !== undefined && (record.seq !== last.seq + 1 || record.prev !== last.hash))
        return { rows, problems: [`record ${record.seq} does not follow record ${last.seq}: records were changed, moved or removed.`] };
      if (signed?.seq === record.seq && signed.hash !== record.hash)
        return { rows, problems: [`record ${record.seq} is not the one that was signed.`] };
      last = record;
    }
  }
  if (signed !== undefined && last !== undefined && signed.seq > last.seq)
    return { rows, problems: [`it ends at record ${last.seq}, but record ${signed.seq} was signed: its tail was cut off.`] };
  return { rows, problems: [] };
}
