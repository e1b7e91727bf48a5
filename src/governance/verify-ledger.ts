import { checkpointFileName } from './checkpoint-log.ts';
import { checkpointHash, parseCheckpoint } from './checkpoint.ts';
import { ledgerStreams } from './query-ledger.ts';
import { newProblemList, type LedgerProblem, type ProblemList } from './ledger/problem.ts';
import { scanCheckpoints, type CheckpointScan } from './ledger/scan-checkpoints.ts';
import { scanStream, type SignedHead, type StreamScan } from './ledger/scan-stream.ts';

export type { LedgerProblem } from './ledger/problem.ts';

export interface VerifyOptions {
  /** A checkpoint's line that was exported earlier and kept elsewhere. */
  readonly checkpoint?: string;
  /** The key that must have signed (64 hex digits). Default: whichever signed first, which a thief of nothing but the folder could have been. */
  readonly publicKey?: string;
  /** Parses every event with its schema as well: slow. */
  readonly schema?: boolean;
}

export interface StreamReport {
  readonly stream: string;
  readonly rows: number;
  readonly segments: number;
  readonly head: { readonly seq: number; readonly hash: string };
  /** The last record that a checkpoint signs. Whoever can write the folder could cut off what comes later unseen. */
  readonly signedSeq: number;
}

export interface VerifyReport {
  readonly ok: boolean;
  readonly rows: number;
  readonly streams: readonly StreamReport[];
  readonly checkpoints: number;
  /** Who signed; undefined when nothing is signed yet. */
  readonly publicKey: string | undefined;
  readonly problems: readonly LedgerProblem[];
  /** All problems, when there are more than are listed. */
  readonly problemCount: number;
  /** Sentences about what is unusual and innocent: a torn last line, records that no checkpoint signs yet. */
  readonly notices: readonly string[];
}

/**
 * Reads a ledger from its first byte to its last and says what no writer and no crash does to it: a changed byte, an
 * inserted, removed or moved record, a cut tail, a missing, renamed or repeated segment, a removed or foreign stream, a
 * forged or foreign checkpoint. It changes nothing, and a ledger that is being written stays valid.
 *
 * What it cannot see without an exported checkpoint or the public key: that everything since an earlier checkpoint was
 * removed together, or that the whole folder was replaced by another one.
 */
export async function verifyLedger(dir: string, options: VerifyOptions = {}): Promise<VerifyReport> {
  const list = newProblemList();
  // Checkpoints before streams: what a checkpoint signs is in its stream, also while somebody writes.
  const checkpoints = scanCheckpoints(dir, list, options.publicKey);
  const exported =
    options.checkpoint === undefined
      ? new Map<string, SignedHead>()
      : readExported(options.checkpoint.trim(), { checkpoints, list, publicKey: options.publicKey });
  const names = ledgerStreams(dir);
  for (const stream of new Set([...checkpoints.heads.keys(), ...exported.keys()])) {
    if (!names.includes(stream)) list.add(stream, 0, `the stream ${stream} was signed, but its folder is gone: the stream was removed.`);
  }
  const scans = new Map<string, StreamScan>();
  for (const stream of names) {
    const heads = [...(checkpoints.heads.get(stream) ?? []), ...(exported.has(stream) ? [exported.get(stream) as SignedHead] : [])];
    const scan = await scanStream(stream, heads, { dir, problems: list, schema: options.schema === true });
    if (scan.rows > 0 && heads.length === 0)
      list.add(
        stream,
        0,
        `the stream ${stream} has records, but no checkpoint names it: it was put there, or ${checkpointFileName} was cut.`,
      );
    scans.set(stream, scan);
  }
  checkReferences(dir, scans, { checkpoints, list });
  return reportOf(scans, checkpoints, list);
}

function readExported(
  line: string,
  context: { readonly checkpoints: CheckpointScan; readonly list: ProblemList; readonly publicKey: string | undefined },
): Map<string, SignedHead> {
  const { checkpoints, list } = context;
  const source = 'the exported checkpoint';
  const checkpoint = parseCheckpoint(line);
  if (typeof checkpoint === 'string') {
    list.add(source, 1, `${source} is not valid: ${checkpoint}.`);
    return new Map();
  }
  const key = context.publicKey ?? checkpoints.publicKey;
  if (key !== undefined && checkpoint.publicKey !== key)
    list.add(source, 1, `${source} was signed by the key ${checkpoint.publicKey}, not by ${key}.`);
  if (!checkpoints.hashes.has(checkpointHash(line)))
    list.add(
      checkpointFileName,
      0,
      `${source} of ${checkpoint.at} is not among the checkpoints: it was removed, or this is another ledger.`,
    );
  return new Map(Object.entries(checkpoint.heads).map(([stream, head]) => [stream, { ...head, source }]));
}

/** Every `checkpoint` record must find its line. Lines may have come since the first look: then look again. */
function checkReferences(
  dir: string,
  scans: ReadonlyMap<string, StreamScan>,
  context: { readonly checkpoints: CheckpointScan; readonly list: ProblemList },
): void {
  const { checkpoints, list } = context;
  const unknown = [...scans.values()].flatMap((scan) => scan.references).filter(({ checkpoint }) => !checkpoints.hashes.has(checkpoint));
  if (unknown.length === 0) return;
  const { hashes } = scanCheckpoints(dir, newProblemList(), undefined);
  for (const { file, line, checkpoint } of unknown) {
    if (!hashes.has(checkpoint))
      list.add(
        file,
        line,
        `the checkpoint ${checkpoint} that this record names is not in ${checkpointFileName}: it was changed or removed.`,
      );
  }
}

function reportOf(scans: ReadonlyMap<string, StreamScan>, checkpoints: CheckpointScan, list: ProblemList): VerifyReport {
  const streams = [...scans].map(([stream, scan]) => ({
    stream,
    rows: scan.rows,
    segments: scan.segments,
    head: { seq: scan.seq, hash: scan.hash },
    signedSeq: checkpoints.last?.checkpoint.heads[stream]?.seq ?? 0,
  }));
  const notices: string[] = [];
  for (const [stream, { tornBytes }] of scans) {
    if (tornBytes > 0)
      notices.push(
        `The last record of stream ${stream} is unfinished (${tornBytes} bytes): it is being written, or a crash tore it before anybody relied on it. The next writer cuts it off and says so.`,
      );
  }
  if (checkpoints.tornBytes > 0)
    notices.push(
      `The last checkpoint is unfinished (${checkpoints.tornBytes} bytes): it is being written, or a crash tore it. The next writer cuts it off.`,
    );
  const unsigned = streams.reduce((sum, { stream, head, signedSeq }) => {
    // The record of a checkpoint, when it is the last one, needs no other checkpoint: losing it loses nothing.
    const end = scans.get(stream)?.references.at(-1)?.seq === head.seq ? head.seq - 1 : head.seq;
    return sum + Math.max(0, end - signedSeq);
  }, 0);
  if (unsigned > 0)
    notices.push(`The last ${unsigned} records are chained but not yet signed by a checkpoint: a process is at work, or one was killed.`);
  const rows = streams.reduce((sum, stream) => sum + stream.rows, 0);
  return {
    ok: list.total === 0,
    rows,
    streams,
    checkpoints: checkpoints.count,
    publicKey: checkpoints.publicKey,
    problems: list.problems,
    problemCount: list.total,
    notices,
  };
}
