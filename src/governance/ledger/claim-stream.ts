import { randomUUID } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { writeFileAtomic } from '../../state/atomic-file.ts';
import { makeDurableDir } from '../../state/durable-dir.ts';
import { isClaimed, tryClaim, type Claim } from '../../state/lock.ts';
import { orNotWritable } from '../../state/not-writable.ts';
import { readLogTail } from '../../state/read-log.ts';
import type { StreamHead } from '../checkpoint.ts';
import { checkRecord, genesisHash, isTornRecord } from './frame.ts';

export const lockFileName = 'lock';
export const ownerFileName = 'owner.json';

/** A stream that this process alone may continue. */
export interface ClaimedStream {
  readonly stream: string;
  readonly dir: string;
  readonly claim: Claim;
  readonly claimId: string;
  /** Its last record. */
  readonly head: StreamHead;
  /** The seq up to which nothing waits for a checkpoint. */
  readonly signedSeq: number;
  /** One sentence for each stream that was free but is damaged: it stays as it is, as evidence. */
  readonly notices: readonly string[];
}

/** Takes the first stream that is free and intact; makes a new one when there is none. */
export async function claimStream(
  ledgerDir: string,
  signed: Readonly<Record<string, StreamHead>>,
  sinceMs: number,
): Promise<ClaimedStream> {
  const notices: string[] = [];
  for (let number = 1; ; number += 1) {
    const stream = `s${String(number).padStart(2, '0')}`;
    const dir = path.join(ledgerDir, stream);
    // A stream that was signed and is gone must stay gone: a new one under its name would hide that.
    if (signed[stream] !== undefined && !fs.existsSync(dir)) continue;
    orNotWritable(dir, () => makeDurableDir(dir));
    const claim = tryClaim(path.join(dir, lockFileName));
    if (claim === undefined) continue;
    try {
      const found = headOf(dir, stream, signed[stream]);
      if (typeof found !== 'string') {
        const claimId = randomUUID();
        await writeFileAtomic(path.join(dir, ownerFileName), `${JSON.stringify({ claimId, pid: process.pid, sinceMs })}\n`);
        const { isCheckpoint, ...head } = found;
        // The record of a checkpoint itself, when it is the last one, needs no other checkpoint.
        const signedSeq = (signed[stream]?.seq ?? 0) + (isCheckpoint ? 1 : 0) === head.seq ? head.seq : (signed[stream]?.seq ?? 0);
        return { stream, dir, claim, claimId, head, signedSeq, notices };
      }
      notices.push(`The ledger stream ${dir} is left as it is: ${found}. Run clawhold audit verify; new records go to another stream.`);
      claim.release();
    } catch (error) {
      claim.release();
      throw error;
    }
  }
}

/**
 * Whether the process that holds the claim is alive. A claim that is not named by any stream is over.
 */
export function isClaimAlive(ledgerDir: string, claimId: string): boolean {
  if (!fs.existsSync(ledgerDir)) return false;
  for (const stream of fs.readdirSync(ledgerDir).filter((name) => /^s\d{2,6}$/.test(name))) {
    const dir = path.join(ledgerDir, stream);
    if (ownerOf(dir) === claimId) return isClaimed(path.join(dir, lockFileName));
  }
  return false;
}

function ownerOf(dir: string): string | undefined {
  try {
    const owner: unknown = JSON.parse(fs.readFileSync(path.join(dir, ownerFileName), 'utf8'));
    return (owner as { claimId?: string } | null)?.claimId;
  } catch {
    // silent-ok: no owner file, or one that is being made: nobody is named.
    return undefined;
  }
}

/** The stream's last record, or a clause that says why it must not be continued. */
function headOf(dir: string, stream: string, signed: StreamHead | undefined): (StreamHead & { readonly isCheckpoint: boolean }) | string {
  const { lastLine, torn } = readLogTail(dir);
  const record = lastLine === undefined ? { seq: 0, hash: genesisHash(stream) } : checkRecord(lastLine);
  if (record === undefined) return 'its last record is damaged';
  if (!isTornRecord(torn)) return 'bytes stand behind its last record that no crash leaves';
  if (signed !== undefined && signed.seq > record.seq) return `it ends at record ${record.seq}, but record ${signed.seq} was signed`;
  if (signed !== undefined && signed.seq === record.seq && signed.hash !== record.hash)
    return `record ${record.seq} is not the one that was signed`;
  return { seq: record.seq, hash: record.hash, isCheckpoint: lastLine?.includes(',"type":"checkpoint",') === true };
}
