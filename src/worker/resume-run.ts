import type { RecordedIntent } from '../agent/run-context.ts';
import { AskHumanError, FixRequestError } from '../contracts/errors.ts';
import type { RunId } from '../contracts/ids.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import type { LedgerEvent } from '../contracts/ledger.ts';
import type { PolicyRequest } from '../contracts/policy.ts';
import { resumableStates } from '../contracts/run.ts';
import { readLedger } from '../governance/query-ledger.ts';
import type { RunRow } from '../state/runs.ts';
import { completeLedger } from './complete-ledger.ts';
import { refuseForbiddenHosts } from './egress-hosts.ts';
import { continueRun, currentPolicy, outcomeOf, type AcceptedEntry } from './continue-run.ts';
import { finishRun } from './finish-run.ts';
import { takeRun, type RunHold } from './hold-run.ts';
import { holdMoney } from './hold-money.ts';
import { agentOfItem } from './load-agent.ts';
import { readPinned } from './pinned.ts';
import { openRunJournal, type RunJournal } from './run-journal.ts';
import type { ItemOutcome, WorkerContext } from './worker-context.ts';

/**
 * Continues a run whose process is gone, which waits for an answer, or which was stopped.
 *
 * Contract: one process at a time (hold-run.ts); a recorded model answer is not asked for
 * again; a finished call is not repeated.
 * @throws FixRequestError when the run cannot be continued, with the reason.
 */
export async function resumeRun(
  ctx: WorkerContext,
  id: RunId,
  { signal, approvals }: { readonly signal: AbortSignal; readonly approvals: string },
): Promise<ItemOutcome> {
  const row = resumableRow(ctx, id);
  const hold = await takeRun(ctx, row);
  await using journal = await openRunJournal(ctx, { tenant: row.tenant, runId: id }, hold);
  tellTorn(ctx, id, journal);
  const accepted = journal.entries.find((entry) => entry.kind === 'accepted');
  if (accepted === undefined) throw neverAccepted(ctx, id);
  const last = journal.entries.at(-1);
  const events = await eventsOf(ctx, row);
  await completeLedger(ctx, { accepted, entries: journal.entries, events });
  if (last?.kind === 'end' && (last.state === 'done' || diedAfterEnd(ctx, row)))
    return await finishRun(ctx, { item: accepted.item, outcome: outcomeOf(last), journal, hold });
  const { item, limits } = accepted;
  const model = await ctx.openModel(accepted.model);
  const spentUsd = (row.costMicroUsd ?? 0) / 1e6;
  using money = await holdMoney(ctx, item, { facts: model.facts, wantedUsd: limits.usd - spentUsd });
  await recordResume(ctx, { accepted, row, approvals, journal, hold });
  const agent = await agentOfItem(ctx, item);
  await using sandbox = await ctx.openSandbox(agent, {
    run: id,
    session: item.sessionId,
    agent: item.agent,
    isResumed: true,
    lease: ctx.lease,
  });
  sandbox.adopt(accepted.sandbox, hadCommands(journal.entries));
  await using tools = await ctx.openTools(agent, sandbox);
  const pinned = await readPinned(ctx.objects(item.tenant), accepted.pinned, tools);
  const policy = await currentPolicy(ctx, { accepted, agent, pinned, tools });
  refuseForbiddenHosts(item, agent, policy);
  sandbox.demand(policy.sandbox.minimum);
  const bounded = { ...accepted, limits: { ...limits, usd: Math.min(limits.usd, spentUsd + money.usd) } };
  return await continueRun(ctx, { accepted: bounded, journal, pinned, agent, model, tools, hold, intents: intentsOf(events), signal });
}

function tellTorn({ emit }: WorkerContext, id: RunId, { droppedBytes }: RunJournal): void {
  if (droppedBytes === 0) return;
  const message = `The journal of ${id} ended in a torn line of ${droppedBytes} bytes, left by a crash; it was cut off.`;
  emit({ type: 'notice', message });
}

/** Whether a command of the run has begun: its sandbox is gone with the process. */
function hadCommands(entries: readonly JournalEntry[]): boolean {
  const begun = new Set(entries.flatMap((entry) => (entry.kind === 'intent' ? [entry.callId] : [])));
  const calls = entries.flatMap((entry) => (entry.kind === 'decisions' ? entry.calls : []));
  return calls.some(({ callId, request }) => begun.has(callId) && hasCommand(request));
}

function hasCommand({ resources }: PolicyRequest): boolean {
  return resources.some(({ kind }) => kind === 'command');
}

/** The row was there before the journal: nothing happened in that run, and its row says so from now on. */
function neverAccepted(ctx: WorkerContext, id: RunId): AskHumanError {
  const reason = 'the process died before the run was recorded; nothing happened in it';
  ctx.runs.update(id, { state: 'failed', reason, endedMs: ctx.clock.now() });
  return new AskHumanError(
    'worker.journal-empty',
    `The journal of run ${id} holds no accepted entry: ${reason}, so there is nothing to continue. Start it again.`,
  );
}

function resumableRow(ctx: WorkerContext, id: RunId): RunRow {
  const row = ctx.runs.get(id);
  if (row === undefined)
    throw new FixRequestError('worker.unknown-run', `There is no run ${id}. "clawhold runs list" shows what there is.`);
  if (!resumableStates.has(row.state))
    throw new FixRequestError(
      'worker.not-resumable',
      `Run ${id} is ${row.state} (${row.reason}): there is nothing left to continue. Start a new one in its session with --session ${row.session}.`,
    );
  return row;
}

/** A task that is delivered again is no wish to go on: an end that the journal holds is the run's end. */
function diedAfterEnd({ lease }: WorkerContext, { state }: RunRow): boolean {
  return lease !== undefined && state === 'running';
}

interface ResumeRecord {
  readonly accepted: AcceptedEntry;
  readonly row: RunRow;
  readonly approvals: string;
  readonly journal: RunJournal;
  readonly hold: RunHold;
}

async function recordResume(ctx: WorkerContext, { accepted, row, approvals, journal, hold }: ResumeRecord): Promise<void> {
  const { item } = accepted;
  const from = row.state === 'running' ? 'interrupted' : row.state;
  const atMs = ctx.clock.now();
  const ledger = await ctx.ledger(item.tenant);
  await Promise.all([
    journal.append({ kind: 'resumed', atMs, build: ctx.build, from, approvals }),
    ledger.append({
      type: 'run.resumed',
      at: new Date(atMs).toISOString(),
      run: item.runId,
      session: item.sessionId,
      agent: item.agent,
      principal: item.principal,
      from,
      build: ctx.build,
      ...(hold.fence === undefined ? {} : { fence: hold.fence }),
    }),
  ]);
  ctx.emit({
    type: 'run.started',
    run: item.runId,
    session: item.sessionId,
    agent: item.agent,
    model: accepted.model,
    isScripted: accepted.isScripted,
    isResumed: true,
  });
}

async function eventsOf(ctx: WorkerContext, row: RunRow): Promise<LedgerEvent[]> {
  const events: LedgerEvent[] = [];
  for await (const { event } of readLedger(ctx.home.ledgerDir(row.tenant), { run: row.id })) events.push(event);
  return events;
}

/** What the run had announced and perhaps done: the ledger is asked, because it is written before the effect. */
function intentsOf(events: readonly LedgerEvent[]): Map<string, RecordedIntent> {
  const intents = new Map<string, RecordedIntent>();
  for (const event of events) {
    if (event.type !== 'tool.intent') continue;
    const { call, target, before, after } = event;
    intents.set(call, {
      ...(target === undefined ? {} : { target }),
      ...(before === undefined ? {} : { before: before as Sha256 }),
      ...(after === undefined ? {} : { after: after as Sha256 }),
    });
  }
  return intents;
}
