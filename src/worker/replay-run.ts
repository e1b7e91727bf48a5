import path from 'node:path';
import type { DecidedTurn } from '../agent/run-context.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { RunId } from '../contracts/ids.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import { canonicalJson, hashJson } from '../contracts/json.ts';
import { decide } from '../governance/decide.ts';
import type { PolicySnapshot } from '../governance/policy-snapshot.ts';
import { readJournal } from '../state/journal.ts';
import { agentOfRecord } from './agent-of-record.ts';
import { agentRunOf } from './continue-run.ts';
import { readPinned } from './pinned.ts';
import { walkRecord, type Seen } from './walk-record.ts';
import type { WorkerContext } from './worker-context.ts';

export interface ReplayReport {
  readonly run: RunId;
  /** True when every prompt and every decision came out byte-identical. */
  readonly isIdentical: boolean;
  /** Build that recorded the run, and the one that replays it: a difference explains, it does not excuse. */
  readonly recordedBy: string;
  readonly replayedBy: string;
  readonly prompts: readonly { readonly turn: number; readonly recorded: string; readonly replayed: string }[];
  readonly decisions: readonly {
    readonly call: string;
    readonly tool: string;
    readonly recorded: string;
    readonly replayed: string;
    readonly isIdentical: boolean;
  }[];
  /** With another policy: the calls that it would have answered otherwise. */
  readonly changed: readonly {
    readonly call: string;
    readonly tool: string;
    readonly was: string;
    readonly would: string;
    readonly reason: string;
  }[];
  /** Where and why the record ends, when it is not complete. */
  readonly endedEarly?: string;
}

/**
 * Runs the loop again from the journal, without a model and without effects, and compares what it would send and decide
 * with what is recorded.
 *
 * Contract: writes nothing, calls no model and no tool; two replays of one record give the same report.
 */
export async function replayRun(ctx: WorkerContext, id: RunId, policy?: PolicySnapshot): Promise<ReplayReport> {
  const row = ctx.runs.get(id);
  if (row === undefined)
    throw new FixRequestError('worker.unknown-run', `There is no run ${id}. "clawhold runs list" shows what there is.`);
  const entries = await readJournal(path.join(ctx.home.runDir(row.tenant, id), 'journal.jsonl'));
  const accepted = entries.find((entry) => entry.kind === 'accepted');
  if (accepted === undefined)
    throw new FixRequestError(
      'worker.journal-empty',
      `The journal of run ${id} holds nothing to replay: the run ended before it was accepted.`,
    );
  const tools = await ctx.describeTools(await agentOfRecord(ctx, accepted));
  const run = agentRunOf(accepted, await readPinned(ctx.objects(row.tenant), accepted.pinned, tools));
  const seen: Seen = { prompts: [], turns: [] };
  const endedEarly = await walkRecord(ctx, { run, entries, accepted, seen, tools });
  const decisions = compareDecisions(entries, seen.turns);
  const prompts = seen.prompts.map((prompt) => ({ ...prompt, recorded: recordedPrompt(entries, prompt.turn) ?? 'none' }));
  return {
    run: id,
    isIdentical: prompts.every((one) => one.recorded === one.replayed) && decisions.every((one) => one.isIdentical),
    recordedBy: accepted.build,
    replayedBy: ctx.build,
    prompts,
    decisions,
    changed: policy === undefined ? [] : changedBy(policy, seen.turns),
    ...(endedEarly === undefined ? {} : { endedEarly }),
  };
}

function recordedPrompt(entries: readonly JournalEntry[], turn: number): string | undefined {
  for (const entry of entries) if (entry.kind === 'model.request' && entry.turn === turn) return entry.request;
  return undefined;
}

function compareDecisions(entries: readonly JournalEntry[], turns: readonly DecidedTurn[]): ReplayReport['decisions'] {
  const recorded = new Map<string, { readonly requestHash: string; readonly decision: unknown }>();
  for (const entry of entries) {
    if (entry.kind === 'decisions') for (const call of entry.calls) if (!recorded.has(call.callId)) recorded.set(call.callId, call);
  }
  return turns.flatMap((turn) =>
    turn.calls.map((call) => {
      const before = recorded.get(call.callId);
      const was = before === undefined ? 'none' : hashJson({ request: before.requestHash, decision: before.decision });
      const now = hashJson({ request: call.requestHash, decision: call.decision });
      const isIdentical =
        before !== undefined && canonicalJson(before.decision) === canonicalJson(call.decision) && before.requestHash === call.requestHash;
      return { call: call.callId, tool: call.request.tool, recorded: was, replayed: now, isIdentical };
    }),
  );
}

function changedBy(policy: PolicySnapshot, turns: readonly DecidedTurn[]): ReplayReport['changed'] {
  return turns.flatMap((turn) =>
    turn.calls.flatMap((call) => {
      const would = decide(call.request, policy);
      if (would.verdict === call.decision.verdict) return [];
      return [{ call: call.callId, tool: call.request.tool, was: call.decision.verdict, would: would.verdict, reason: would.reason }];
    }),
  );
}
