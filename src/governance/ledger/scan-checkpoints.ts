import fs from 'node:fs';
import path from 'node:path';
import { checkpointFileName } from '../checkpoint-log.ts';
import { checkpointHash, noCheckpoint, parseCheckpoint, type Checkpoint } from '../checkpoint.ts';
import type { ProblemList } from './problem.ts';
import type { SignedHead } from './scan-stream.ts';

export interface CheckpointScan {
  readonly count: number;
  /** Hashes of all whole lines. */
  readonly hashes: ReadonlySet<string>;
  /** Every head that was signed, by stream, each once. */
  readonly heads: ReadonlyMap<string, readonly SignedHead[]>;
  readonly publicKey: string | undefined;
  readonly last: { readonly line: string; readonly checkpoint: Checkpoint } | undefined;
  readonly tornBytes: number;
}

/** Checks the chain of checkpoints: each signed by the one key, each following the one before, no stream going back. */
export function scanCheckpoints(dir: string, problems: ProblemList, publicKey: string | undefined): CheckpointScan {
  const bytes = readIfThere(path.join(dir, checkpointFileName));
  const end = bytes.lastIndexOf(10) + 1;
  const lines = bytes.toString('utf8', 0, end).split('\n').slice(0, -1);
  const heads = new Map<string, Map<string, SignedHead>>();
  const hashes = new Set<string>();
  let key = publicKey;
  let last: CheckpointScan['last'];
  for (const [index, line] of lines.entries()) {
    const checkpoint = parseCheckpoint(line);
    const place = index + 1;
    if (typeof checkpoint === 'string') {
      problems.add(checkpointFileName, place, `the checkpoint is not valid: ${checkpoint}.`);
    } else {
      key ??= checkpoint.publicKey;
      if (checkpoint.publicKey !== key)
        problems.add(checkpointFileName, place, `the checkpoint was signed by the key ${checkpoint.publicKey}, not by ${key}.`);
      else collectHeads(heads, checkpoint, `checkpoint ${place}`);
      checkSuccession(problems, place, { line, checkpoint, last, isFirst: index === 0 });
      last = { line, checkpoint };
    }
    hashes.add(checkpointHash(line));
  }
  const rest = bytes.subarray(end).toString('latin1');
  if (!isTornCheckpoint(rest))
    problems.add(
      checkpointFileName,
      lines.length + 1,
      'bytes stand behind the last checkpoint that no crash leaves: they were put there, or its end was changed.',
    );
  return {
    count: lines.length,
    hashes,
    heads: new Map([...heads].map(([stream, known]) => [stream, [...known.values()]])),
    publicKey: key,
    last,
    tornBytes: rest.length,
  };
}

function checkSuccession(
  problems: ProblemList,
  place: number,
  found: { readonly line: string; readonly checkpoint: Checkpoint; readonly last: CheckpointScan['last']; readonly isFirst: boolean },
): void {
  const { checkpoint, last, isFirst } = found;
  // Behind a line that cannot be read nothing is known of the predecessor; that line is the problem.
  const expected = last !== undefined ? checkpointHash(last.line) : isFirst ? noCheckpoint : undefined;
  if (expected !== undefined && checkpoint.prev !== expected)
    problems.add(checkpointFileName, place, 'the checkpoint does not follow the one before it: one was removed, inserted or moved.');
  for (const [stream, head] of Object.entries(last?.checkpoint.heads ?? {})) {
    const now = checkpoint.heads[stream];
    if (now === undefined)
      problems.add(checkpointFileName, place, `the checkpoint leaves out stream ${stream}, which the one before it names.`);
    else if (now.seq < head.seq)
      problems.add(checkpointFileName, place, `the checkpoint sets stream ${stream} back from record ${head.seq} to ${now.seq}.`);
  }
}

function collectHeads(heads: Map<string, Map<string, SignedHead>>, checkpoint: Checkpoint, source: string): void {
  for (const [stream, head] of Object.entries(checkpoint.heads)) {
    let known = heads.get(stream);
    if (known === undefined) heads.set(stream, (known = new Map()));
    const name = `${head.seq} ${head.hash}`;
    if (!known.has(name)) known.set(name, { ...head, source });
  }
}

/** What a crash in the middle of a write leaves: the beginning of a checkpoint without its end, or nothing but zeros. */
function isTornCheckpoint(rest: string): boolean {
  if (/^\0*$/.test(rest)) return true;
  const start = '{"at":"';
  return (rest.startsWith(start) || start.startsWith(rest)) && !/,"signature":"[0-9a-f]{128}"\}[^]/.test(rest);
}

function readIfThere(file: string): Buffer {
  try {
    return fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    return Buffer.alloc(0);
  }
}
