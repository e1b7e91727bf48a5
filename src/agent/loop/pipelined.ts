import type { LedgerPosition } from '../../contracts/ledger.ts';
import type { RunAgentContext } from '../run-context.ts';

/** A run's context whose records are on their way and not waited for one by one. */
export interface LoopContext extends RunAgentContext {
  /** Resolves when everything recorded so far is on the disk. @throws the first failure to make a record durable */
  settled(): Promise<void>;
}

/**
 * Lets records of one turn travel together: an append is acknowledged at once, and the loop waits for all of them at the
 * few places where durability matters, before a model call, a call's effect, a question and the end. Records keep their
 * order within journal and ledger, so what is on the disk is always a beginning of what was recorded.
 */
export function pipelined(ctx: RunAgentContext): LoopContext {
  let pending: Promise<unknown>[] = [];
  const add = (write: Promise<unknown>): void => {
    // The failure is met by whoever waits next.
    write.catch(() => undefined);
    pending.push(write);
  };
  return {
    ...ctx,
    journal: { entries: ctx.journal.entries, append: async (entry) => add(ctx.journal.append(entry)) },
    ledger: {
      append: async (event): Promise<LedgerPosition> => {
        add(ctx.ledger.append(event));
        return { stream: '', seq: 0, hash: '' };
      },
    },
    settled: async () => {
      const writes = pending;
      pending = [];
      await Promise.all(writes);
    },
  };
}
