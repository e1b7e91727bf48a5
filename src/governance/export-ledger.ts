import fs from 'node:fs';
import path from 'node:path';
import { listSegments } from '../state/segments.ts';
import { checkpointFileName, snapshotSizes } from './checkpoint-log.ts';
import { readChunks } from './ledger/read-chunks.ts';
import { ledgerStreams } from './query-ledger.ts';

export interface LedgerExport {
  readonly out: string;
  readonly rows: number;
  readonly streams: number;
  /** The newest signed checkpoint alone: keep it where the ledger's writers cannot reach it. */
  readonly checkpointFile: string | undefined;
}

/**
 * Copies a ledger to `out/ledger/`, byte for byte and without locks and owners, and its newest checkpoint to
 * `out/checkpoint.json`. A ledger that is being written is copied as it was at one moment, cut at whole records.
 */
export async function exportLedger(dir: string, out: string): Promise<LedgerExport> {
  const target = path.join(out, 'ledger');
  fs.mkdirSync(target, { recursive: true, mode: 0o700 });
  const segments = (): string[] => ledgerStreams(dir).flatMap((stream) => listSegments(path.join(dir, stream)).map(({ file }) => file));
  const sizes = await snapshotSizes(dir, segments);
  const checkpoints = path.join(dir, checkpointFileName);
  let rows = 0;
  for (const [file, size] of sizes) {
    const lines = await copyLines(file, path.join(target, path.relative(dir, file)), size);
    if (file !== checkpoints) rows += lines;
  }
  const newest = sizes.has(checkpoints)
    ? fs.readFileSync(path.join(target, checkpointFileName), 'utf8').trimEnd().split('\n').at(-1)
    : undefined;
  const checkpointFile = newest === undefined ? undefined : path.join(out, 'checkpoint.json');
  if (checkpointFile !== undefined) fs.writeFileSync(checkpointFile, `${newest}\n`, { mode: 0o600 });
  return { out, rows, streams: ledgerStreams(target).length, checkpointFile };
}

/** Copies the whole lines among the first `size` bytes; returns how many they are. */
async function copyLines(from: string, to: string, size: number): Promise<number> {
  fs.mkdirSync(path.dirname(to), { recursive: true, mode: 0o700 });
  await using handle = await fs.promises.open(to, 'wx', 0o600);
  let left = size;
  let lines = 0;
  for await (const { bytes, isRest } of readChunks(from)) {
    if (isRest || left <= 0) break;
    const whole = bytes.subarray(0, bytes.subarray(0, left).lastIndexOf(10) + 1);
    await handle.writeFile(whole);
    left -= bytes.length;
    for (let at = whole.indexOf(10); at >= 0; at = whole.indexOf(10, at + 1)) lines += 1;
  }
  return lines;
}
