import { answerEvent, answeredEvent, errorEvent, resultEvent, type RunLedgerEvent } from '../agent/ledger-events.ts';
import { AskHumanError } from '../contracts/errors.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import { hashJson, sha256 } from '../contracts/json.ts';
import type { LedgerEvent, LedgerEventOf } from '../contracts/ledger.ts';
import type { AcceptedEntry } from './continue-run.ts';
import type { WorkerContext } from './worker-context.ts';

export interface CompleteInput {
  readonly accepted: AcceptedEntry;
  readonly entries: readonly JournalEntry[];
  /** What the ledger holds of the run. */
  readonly events: readonly LedgerEvent[];
}

export function startEvent({ item, atMs, pinned, model }: AcceptedEntry): LedgerEventOf<'run.start'> {
  return {
    type: 'run.start',
    at: new Date(atMs).toISOString(),
    run: item.runId,
    session: item.sessionId,
    agent: item.agent,
    principal: item.principal,
    door: item.door,
    inputHash: item.untrusted === undefined ? sha256(item.input) : hashJson({ input: item.input, untrusted: item.untrusted }),
    pinned: hashJson(pinned),
    model,
    ...(item.project === undefined ? {} : { project: item.project }),
    ...(item.lane === undefined ? {} : { lane: item.lane }),
  };
}

/**
 * Journal and ledger are written side by side, so a crash may leave one of them a record behind. What the journal holds
 * counts as done and is not done again: the ledger gets its record of it now.
 *
 * @throws AskHumanError when the journal begins another run than the ledger knows: with other inputs, policy or words.
 */
export async function completeLedger(ctx: Pick<WorkerContext, 'ledger' | 'clock'>, input: CompleteInput): Promise<void> {
  const { item } = input.accepted;
  const ledger = await ctx.ledger(item.tenant);
  const told = startEvent(input.accepted);
  // More than one: a holder that was replaced in the moment of its start was late.
  const starts = input.events.filter((event) => event.type === 'run.start');
  if (starts.length > 0 && !starts.some((start) => hashJson(start) === hashJson(told))) throw changedJournal(item.runId);
  if (starts.length === 0) await ledger.append(told);
  const at = new Date(ctx.clock.now()).toISOString();
  for (const event of missingEvents(input))
    await ledger.append({ ...event, at, run: item.runId, session: item.sessionId, agent: item.agent });
}

function changedJournal(run: string): AskHumanError {
  return new AskHumanError(
    'worker.journal-changed',
    `The journal of run ${run} begins otherwise than the ledger says: its input, its model or what was pinned was changed. The run is not continued; start a new one, and run "clawhold audit verify --bundles".`,
  );
}

/** What the journal tells and the ledger does not; equal events are counted, because a call may fail twice alike. */
function missingEvents({ entries, events }: CompleteInput): RunLedgerEvent[] {
  const there = new Map<string, number>();
  for (const event of events) there.set(nameOf(event), (there.get(nameOf(event)) ?? 0) + 1);
  return toldEvents(entries).filter((event) => {
    const left = (there.get(nameOf(event)) ?? 0) - 1;
    there.set(nameOf(event), left);
    return left < 0;
  });
}

/** What makes two events the same one, whenever they were written. */
function nameOf(event: RunLedgerEvent | LedgerEvent): string {
  const { at: _, run: _run, session: _session, agent: _agent, ...own } = event as LedgerEventOf<'tool.result'>;
  return hashJson(own);
}

function toldEvents(entries: readonly JournalEntry[]): RunLedgerEvent[] {
  const requests = new Map<number, string>();
  const calls = new Map<string, { readonly tool: string; readonly requestHash: string }>();
  return entries.flatMap((entry): RunLedgerEvent[] => {
    if (entry.kind === 'model.request') requests.set(entry.turn, entry.request);
    if (entry.kind === 'decisions')
      for (const { callId, request, requestHash } of entry.calls) calls.set(callId, { tool: request.tool, requestHash });
    if (entry.kind === 'model.answer') return [answerEvent(entry, requests.get(entry.turn) ?? '')];
    if (entry.kind === 'model.error') return [errorEvent(entry, requests.get(entry.turn) ?? '')];
    if (entry.kind === 'result') return [resultEvent(entry, calls.get(entry.callId)?.tool ?? '')];
    if (entry.kind === 'approval.answered') return [answeredEvent(entry, calls.get(entry.callId)?.requestHash ?? '')];
    return [];
  });
}
