import type { JournalEntry } from '../../contracts/journal.ts';

type Entry<K extends JournalEntry['kind']> = Extract<JournalEntry, { kind: K }>;

/** Code of the result of a command whose sandbox ended under it: the run has none from then on. */
export const sandboxDied = 'sandbox.died';

/** What a journal already knows, by turn and by call: a resume consumes it, a replay compares with it. */
export interface Recorded {
  readonly request: ReadonlyMap<number, Entry<'model.request'>>;
  readonly answer: ReadonlyMap<number, Entry<'model.answer'>>;
  /** Turns with a call that failed. */
  readonly failed: ReadonlySet<number>;
  /** The first decisions of each turn, made under the pinned policy. */
  readonly decisions: ReadonlyMap<number, Entry<'decisions'>>;
  readonly intent: ReadonlyMap<string, Entry<'intent'>>;
  readonly result: ReadonlyMap<string, Entry<'result'>>;
  /** The last question about a call. */
  readonly question: ReadonlyMap<string, Entry<'approval.requested'>>;
  readonly answered: ReadonlyMap<string, Entry<'approval.answered'>>;
  readonly compaction: ReadonlyMap<number, Entry<'compaction'>>;
  readonly prompt: Entry<'prompt'> | undefined;
  /** Turns that were decided after the run's sandbox had died and before the run was resumed. */
  readonly withoutSandbox: ReadonlySet<number>;
  /** Whether the sandbox has died since the run was last started or resumed. */
  readonly isSandboxDead: boolean;
}

export function indexJournal(entries: readonly JournalEntry[]): Recorded {
  const index = {
    request: new Map<number, Entry<'model.request'>>(),
    answer: new Map<number, Entry<'model.answer'>>(),
    failed: new Set<number>(),
    decisions: new Map<number, Entry<'decisions'>>(),
    intent: new Map<string, Entry<'intent'>>(),
    result: new Map<string, Entry<'result'>>(),
    question: new Map<string, Entry<'approval.requested'>>(),
    answered: new Map<string, Entry<'approval.answered'>>(),
    compaction: new Map<number, Entry<'compaction'>>(),
    prompt: undefined as Entry<'prompt'> | undefined,
    ...sandboxDeaths(entries),
  };
  for (const entry of entries) {
    if (entry.kind === 'model.request') index.request.set(entry.turn, entry);
    else if (entry.kind === 'model.answer') index.answer.set(entry.turn, entry);
    else if (entry.kind === 'model.error') index.failed.add(entry.turn);
    else if (entry.kind === 'compaction') index.compaction.set(entry.turn, entry);
    else if (entry.kind === 'decisions' && !index.decisions.has(entry.turn)) index.decisions.set(entry.turn, entry);
    else if (entry.kind === 'intent') index.intent.set(entry.callId, entry);
    else if (entry.kind === 'result') index.result.set(entry.callId, entry);
    else if (entry.kind === 'approval.requested') index.question.set(entry.callId, entry);
    else if (entry.kind === 'approval.answered') index.answered.set(entry.callId, entry);
    else if (entry.kind === 'prompt') index.prompt = entry;
  }
  return index;
}

function sandboxDeaths(entries: readonly JournalEntry[]): Pick<Recorded, 'withoutSandbox' | 'isSandboxDead'> {
  const withoutSandbox = new Set<number>();
  const decided = new Set<number>();
  let isSandboxDead = false;
  for (const entry of entries) {
    if (entry.kind === 'resumed') isSandboxDead = false;
    else if (entry.kind === 'result' && entry.result.code === sandboxDied) isSandboxDead = true;
    else if (entry.kind === 'decisions' && !decided.has(entry.turn)) {
      decided.add(entry.turn);
      if (isSandboxDead) withoutSandbox.add(entry.turn);
    }
  }
  return { withoutSandbox, isSandboxDead };
}
