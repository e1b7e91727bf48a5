import path from 'node:path';
import type { Journal, JournalEntry } from '../contracts/journal.ts';
import type { RunItem } from '../contracts/run.ts';
import type { Sha256 } from '../contracts/json.ts';
import { openJournal } from '../state/journal.ts';
import type { RunHold } from './hold-run.ts';
import type { WorkerContext } from './worker-context.ts';

/** A run's journal that remembers what was added, so that the bundle needs no second reading of the file. */
export interface RunJournal extends Journal, AsyncDisposable {
  /** What stood there and what was added since. */
  readonly all: readonly JournalEntry[];
  readonly droppedBytes: number;
  /** Of the whole file, from the bytes that were found and written: whoever changes it meanwhile is found out. Ends the journal. */
  sha256(): Sha256;
}

/** Opens it for the holder: nothing is written any more once the hold is lost. */
export async function openRunJournal(
  { home, syncShared }: Pick<WorkerContext, 'home' | 'syncShared'>,
  item: Pick<RunItem, 'tenant' | 'runId'>,
  hold: RunHold,
): Promise<RunJournal> {
  const { fence, isTakenFromLiving } = hold;
  hold.guard();
  const file = path.join(home.runDir(item.tenant, item.runId), 'journal.jsonl');
  const journal = await openJournal(file, { fence, isTakenFromLiving, syncShared, guard: () => hold.guard() });
  const all = [...journal.entries];
  return {
    entries: journal.entries,
    all,
    droppedBytes: journal.droppedBytes,
    sha256: () => journal.sha256(),
    append: async (entry) => {
      all.push(entry);
      await journal.append(entry);
    },
    [Symbol.asyncDispose]: async () => await journal[Symbol.asyncDispose](),
  };
}
