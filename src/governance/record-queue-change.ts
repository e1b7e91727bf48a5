import type { LedgerEventOf, LedgerWriter } from '../contracts/ledger.ts';

export type QueueChange = Omit<LedgerEventOf<'queue.change'>, 'type' | 'at'>;

/** Says who changes a queue, before it is changed: a queue that stands still is asked about. */
export async function recordQueueChange(ledger: LedgerWriter, change: QueueChange, nowMs: number): Promise<void> {
  await ledger.append({ type: 'queue.change', at: new Date(nowMs).toISOString(), ...change });
}
