import type { JournalEntry } from '../contracts/journal.ts';
import { hashJson, sha256 } from '../contracts/json.ts';
import type { LedgerEvent } from '../contracts/ledger.ts';

type Entry<K extends JournalEntry['kind']> = Extract<JournalEntry, { kind: K }>;
type WithoutFrame<E> = E extends { readonly run: string } ? Omit<E, 'at' | 'run' | 'session' | 'agent'> : never;

/** A ledger event of a run without what every one of them has. */
export type RunLedgerEvent = WithoutFrame<LedgerEvent>;

/** What the ledger says of a journal entry that stands in both: a crash between the two is repaired from the journal. */
export function answerEvent(entry: Entry<'model.answer'>, request: string): RunLedgerEvent {
  const { usage } = entry.answer;
  return {
    type: 'model.result',
    turn: entry.turn,
    request,
    answer: hashJson(entry.answer),
    ...(usage === undefined ? {} : { inputTokens: usage.inputTokens, outputTokens: usage.outputTokens }),
    ...(entry.costMicroUsd === undefined ? {} : { costMicroUsd: entry.costMicroUsd }),
  };
}

export function errorEvent(entry: Entry<'model.error'>, request: string): RunLedgerEvent {
  return { type: 'model.result', turn: entry.turn, request, error: entry.code };
}

export function resultEvent({ callId, result }: Entry<'result'>, tool: string): RunLedgerEvent {
  return {
    type: 'tool.result',
    call: callId,
    tool,
    isError: result.isError,
    ...(result.code === undefined ? {} : { code: result.code }),
    result: sha256(result.text),
  };
}

export function answeredEvent(entry: Entry<'approval.answered'>, request: string): RunLedgerEvent {
  const { approvalId, answer, by } = entry;
  return { type: 'approval.answered', approval: approvalId, request, answer, by: { kind: 'user', id: by } };
}
