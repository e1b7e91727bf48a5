import fs from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { AskHumanError, RetryableError } from '../contracts/errors.ts';
import { openLineFile } from '../state/line-file.ts';
import { tryClaim, type Claim } from '../state/lock.ts';
import { readTail } from '../state/read-log.ts';
import { checkpointHash, noCheckpoint, parseCheckpoint, signCheckpoint, type Checkpoint, type StreamHead } from './checkpoint.ts';
import type { SigningKey } from './ledger/signing-key.ts';

export const checkpointFileName = 'checkpoints.jsonl';
const lockName = 'checkpoints.lock';
const patienceMs = 5000;

/** Whether anything in a ledger's folder was ever signed. */
export function isSigned(dir: string): boolean {
  return (fs.statSync(path.join(dir, checkpointFileName), { throwIfNoEntry: false })?.size ?? 0) > 0;
}

/** The last line of a ledger's checkpoints, and what it says. */
export interface LastCheckpoint {
  readonly line: string;
  readonly checkpoint: Checkpoint;
}

/**
 * The newest checkpoint; undefined when there is none yet.
 * @throws AskHumanError when it is damaged, or signed by another key than `publicKey`: whoever went on from it would sign what was forged.
 */
export function lastCheckpoint(dir: string, publicKey: string): LastCheckpoint | undefined {
  const { lastLine } = readTail(path.join(dir, checkpointFileName));
  if (lastLine === undefined) return undefined;
  const checkpoint = parseCheckpoint(lastLine);
  const why =
    typeof checkpoint === 'string'
      ? checkpoint
      : checkpoint.publicKey === publicKey
        ? undefined
        : `it was signed by the key ${checkpoint.publicKey}, and this machine's is ${publicKey}`;
  if (typeof checkpoint !== 'string' && why === undefined) return { line: lastLine, checkpoint };
  throw new AskHumanError(
    'governance.checkpoint-damaged',
    `The last checkpoint in ${path.join(dir, checkpointFileName)} cannot be continued: ${why}. Run clawhold audit verify; restore the file or the key, or move the ledger folder away as evidence and begin a new one.`,
  );
}

/**
 * Signs and stores where `stream` ends; heads of the other streams are carried forward from the last checkpoint.
 * Returns the stored line. One process at a time does this, under a lock of its own.
 * @throws RetryableError when the lock stays taken or the disk takes no more.
 */
export async function addCheckpoint(
  dir: string,
  own: { readonly stream: string; readonly head: StreamHead; readonly at: string },
  key: SigningKey,
): Promise<string> {
  using held = new DisposableStack();
  held.use(await claimPatiently(path.join(dir, lockName)));
  const last = lastCheckpoint(dir, key.publicKey);
  const heads = { ...last?.checkpoint.heads, [own.stream]: own.head };
  const line = signCheckpoint({ at: own.at, prev: last === undefined ? noCheckpoint : checkpointHash(last.line), heads }, key);
  await using file = openLineFile(path.join(dir, checkpointFileName));
  await file.append(line);
  return line;
}

/**
 * Sizes of all files at one moment at which every signed record is in its stream and every checkpoint that a record
 * names is stored: while the lock is held no checkpoint is added. The files only grow, so the sizes stay a snapshot.
 */
export async function snapshotSizes(dir: string, files: () => readonly string[]): Promise<Map<string, number>> {
  using held = new DisposableStack();
  try {
    held.use(await claimPatiently(path.join(dir, lockName)));
  } catch (error) {
    // Where no lock can be made, nothing can be written either.
    if (!(error instanceof RetryableError && error.code === 'state.lock-failed')) throw error;
  }
  const checkpoints = path.join(dir, checkpointFileName);
  return new Map([checkpoints, ...files()].filter((file) => fs.existsSync(file)).map((file) => [file, fs.statSync(file).size]));
}

async function claimPatiently(file: string): Promise<Claim> {
  for (let waitedMs = 0; ;) {
    const claim = tryClaim(file);
    if (claim !== undefined) return claim;
    if (waitedMs >= patienceMs)
      throw new RetryableError(
        'governance.checkpoint-busy',
        `No checkpoint was made: another process held ${file} for ${patienceMs} ms. Try again.`,
      );
    const waitMs = 2 + Math.random() * 8; // sast-ok: jitter of a wait, nothing depends on it
    await sleep(waitMs);
    waitedMs += waitMs;
  }
}
