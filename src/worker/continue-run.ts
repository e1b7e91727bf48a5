import path from 'node:path';
import { bootstrapFiles } from '../agent/bootstrap-files.ts';
import { assemblePrompt } from '../agent/prompt.ts';
import { runAgent, type RunOutcome } from '../agent/run-agent.ts';
import type { AgentRun, RecordedIntent, RunAgentContext } from '../agent/run-context.ts';
import { RunStopped } from '../agent/run-signal.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import { forgetful, type Memo } from '../contracts/memo.ts';
import type { ModelClient } from '../contracts/model.ts';
import { compilePolicy } from '../governance/policy-snapshot.ts';
import { writeFileAtomic } from '../state/atomic-file.ts';
import { makeDurableDir } from '../state/durable-dir.ts';
import { compileOptions } from './compile-options.ts';
import { finishRun } from './finish-run.ts';
import type { RunHold } from './hold-run.ts';
import type { LoadedAgent } from './load-agent.ts';
import { agentPolicySource } from './policy-sources.ts';
import type { RunInputs } from './pinned.ts';
import type { RunJournal } from './run-journal.ts';
import { watchStopFile } from './stop-file.ts';
import type { ItemOutcome, OpenTools, WorkerContext } from './worker-context.ts';
import type { PolicySnapshot } from '../governance/policy-snapshot.ts';

export type AcceptedEntry = Extract<JournalEntry, { kind: 'accepted' }>;

export interface ContinueInput {
  readonly accepted: AcceptedEntry;
  readonly journal: RunJournal;
  readonly pinned: RunInputs & { readonly snapshot: PolicySnapshot };
  readonly agent: LoadedAgent;
  readonly model: ModelClient;
  readonly tools: OpenTools;
  readonly hold: RunHold;
  readonly intents: ReadonlyMap<string, RecordedIntent>;
  readonly signal: AbortSignal;
}

/** Pinned beside the texts of the prompt. */
const notInPrompt: ReadonlySet<string> = new Set(['agent.yaml', 'roots.json', 'mcp.json']);

function isByAgent(name: string): boolean {
  return name.startsWith('memory/') || bootstrapFiles.some((file) => file.name === name && file.author === 'agent');
}

/** What pinned files are to an agent. */
function promptOf(agent: string, pinned: RunInputs['files']): Pick<AgentRun, 'prompt' | 'trustedFiles' | 'untrustedFiles'> {
  const files = [...pinned].filter(([name]) => !notInPrompt.has(name));
  const roots = JSON.parse(pinned.get('roots.json') ?? '[]') as string[];
  return {
    prompt: assemblePrompt({ agent, files: pinned, roots }),
    trustedFiles: new Map(files.filter(([name]) => !isByAgent(name))),
    untrustedFiles: new Map(files.filter(([name]) => isByAgent(name))),
  };
}

/** What the loop works from, built from the record alone: the same for a run, a resume and a replay. */
export function agentRunOf(
  accepted: AcceptedEntry,
  pinned: RunInputs & { readonly snapshot: PolicySnapshot },
  memo: Memo = forgetful,
): AgentRun {
  const { agent } = accepted.item;
  return {
    item: accepted.item,
    ...memo.of(pinned.files, agent, () => promptOf(agent, pinned.files)),
    history: pinned.history,
    offered: pinned.tools,
    limits: accepted.limits,
    model: accepted.model,
    contextTokens: accepted.contextTokens,
    maxOutputTokens: accepted.maxOutputTokens,
    pinnedPolicy: pinned.snapshot,
    ...(accepted.sandbox === undefined ? {} : { sandbox: accepted.sandbox }),
  };
}

/** Runs what is missing of an accepted run, then finishes it. A journal that already holds a final end is only finished. */
export async function continueRun(ctx: WorkerContext, input: ContinueInput): Promise<ItemOutcome> {
  const run = agentRunOf(input.accepted, input.pinned, ctx.memo);
  const { item } = run;
  using stopFile = watchStopFile(ctx.home.runDir(item.tenant, item.runId));
  const timer = new AbortController();
  const lost = ctx.lease === undefined ? [] : [ctx.lease.signal];
  const timeout = setTimeout(() => timer.abort(new RunStopped('timed-out')), run.limits.seconds * 1000);
  try {
    const outcome = await runAgent(runContext(ctx, input), run, AbortSignal.any([input.signal, timer.signal, stopFile.signal, ...lost]));
    return await finishRun(ctx, { item, outcome, journal: input.journal, hold: input.hold });
  } finally {
    clearTimeout(timeout);
  }
}

/** The policy as it is on the disk now; compiled again only when a file differs from what the run has pinned. */
export async function currentPolicy(
  ctx: WorkerContext,
  { accepted, agent, pinned, tools }: Pick<ContinueInput, 'accepted' | 'agent' | 'pinned' | 'tools'>,
): Promise<PolicySnapshot> {
  const sources = [...(await ctx.policyFiles(accepted.item.tenant)), await agentPolicySource(ctx.home, agent)];
  const isSame = sources.length === pinned.policy.length && sources.every((source, index) => source.text === pinned.policy[index]?.text);
  return isSame ? pinned.snapshot : compilePolicy(sources, compileOptions(tools));
}

function endEntry({ state, reason, output, totals }: RunOutcome, atMs: number): JournalEntry {
  return { kind: 'end', atMs, state, reason, output, totals };
}

/** The outcome that a journal's end tells, for a run that died after it. */
export function outcomeOf(end: Extract<JournalEntry, { kind: 'end' }>): RunOutcome {
  return { state: end.state, reason: end.reason, output: end.output, totals: end.totals, waiting: [] };
}

function runContext(ctx: WorkerContext, input: ContinueInput): RunAgentContext {
  const { item } = input.accepted;
  const dir = ctx.home.runDir(item.tenant, item.runId);
  return {
    journal: input.journal,
    ledger: { append: async (event) => await (await ctx.ledger(item.tenant)).append(event) },
    model: input.model,
    tools: input.tools.tools,
    resourcesOf: input.tools.resourcesOf,
    targetHash: input.tools.targetHash,
    currentPolicy: async () => await currentPolicy(ctx, input),
    approvals: ctx.approvalDesk(item),
    redactor: ctx.redactor,
    clock: ctx.clock,
    saveUndo: async (callId, bytes) => {
      const name = path.join('undo', callId);
      makeDurableDir(path.join(dir, 'undo'));
      await writeFileAtomic(path.join(dir, name), bytes, { mode: 0o600 });
      return name;
    },
    intents: input.intents,
    checkHold: () => input.hold.check(),
    emit: ctx.emit,
    endEntry: (outcome) => endEntry(outcome, ctx.clock.now()),
  };
}
