import { bootstrapFiles } from '../agent/bootstrap-files.ts';
import { FixRequestError, RetryableError } from '../contracts/errors.ts';
import type { SandboxFacts } from '../contracts/isolation.ts';
import { ofBoth } from '../contracts/memo.ts';
import type { ModelClient } from '../contracts/model.ts';
import type { RunItem, RunLimits } from '../contracts/run.ts';
import { refuseLooserTenant } from '../governance/looser-rules.ts';
import type { PolicySnapshot } from '../governance/policy-snapshot.ts';
import { nameFrom } from '../state/linked-place.ts';
import type { RunRow } from '../state/runs.ts';
import { startEvent } from './complete-ledger.ts';
import { continueRun, type AcceptedEntry } from './continue-run.ts';
import { holdNewRun, takeRun, type RunHold } from './hold-run.ts';
import { holdMoney } from './hold-money.ts';
import { agentOfItem, type LoadedAgent } from './load-agent.ts';
import { offeredTools, wantsCommands } from './offered-tools.ts';
import { compileOnce } from './compile-options.ts';
import { refuseForbiddenHosts } from './egress-hosts.ts';
import { pinInputs, redactFiles, type RunInputs } from './pinned.ts';
import { policySourceOf } from './policy-sources.ts';
import { openRunJournal, type RunJournal } from './run-journal.ts';
import { sessionHistory } from './session-history.ts';
import type { ItemOutcome, RunNames, RunSandbox, WorkerContext } from './worker-context.ts';

/**
 * Accepts a new item and runs it: everything it depends on is pinned and durable before the first model call.
 * @throws FixRequestError for a wrong agent, model, policy or session: then nothing was recorded.
 */
export async function startRun(ctx: WorkerContext, given: RunItem, signal: AbortSignal): Promise<ItemOutcome> {
  return await startListed(ctx, { given, row: ctx.lease === undefined ? undefined : ctx.runs.get(given.runId) }, signal);
}

/** The same, with the run's row: an admitted run has one. */
export async function startListed(
  ctx: WorkerContext,
  { given, row }: { readonly given: RunItem; readonly row: RunRow | undefined },
  signal: AbortSignal,
): Promise<ItemOutcome> {
  const item = redactedItem(ctx, given);
  const agent = await agentOfItem(ctx, item);
  for (const message of agent.notices) ctx.emit({ type: 'notice', message });
  const model = await modelOf(ctx, item, agent.config.model ?? ctx.defaultModel);
  const history = sessionHistory(ctx, item);
  const above = await ctx.policyFiles(item.tenant, ctx.sinceMs);
  const sources = ofBoth(ctx.memo, { one: agent, other: above, key: 'policy' }, () => [...above, policySourceOf(ctx.home, agent)]);
  using bounds = await boundsOf(ctx, item, { agent, model });
  await using sandbox = await ctx.openSandbox(agent, { ...namesOf(item), lease: ctx.lease });
  await using tools = await ctx.openTools(agent, sandbox);
  // The tools follow from the agent, and the sources from it and the files above.
  const snapshot = ctx.memo.of(sources, 'snapshot', () => policyOfStart(ctx, { sources, agent, tools }));
  refuseForbiddenHosts(item, agent, snapshot);
  sandbox.demand(snapshot.sandbox.minimum);
  const facts = wantsCommands(agent, tools.tools) ? await chooseSandbox(ctx, sandbox, snapshot) : undefined;
  const offered = ctx.memo.of(agent, `offered ${JSON.stringify(facts)}`, () => offeredTools(agent, tools, facts));
  const inputs: RunInputs = { files: filesOf(ctx, agent), tools: offered, policy: sources, history };
  const accepted = await acceptedEntry(ctx, { item, agent, model, inputs, snapshot, facts, limits: bounds.limits });
  const hold = await holdStart(ctx, accepted, row);
  await using journal = await openRunJournal(ctx, item, hold);
  await recordStart(ctx, accepted, journal);
  if (!model.facts.hasPrice) tellUnpriced(ctx, model);
  return await continueRun(ctx, {
    accepted,
    journal,
    pinned: { ...inputs, snapshot },
    agent,
    model,
    tools,
    hold,
    intents: new Map(),
    signal,
  });
}

/**
 * A person at this machine may run what they like. Who asks from outside may choose among models whose price is known:
 * with another one the day's money would bound nothing.
 */
async function modelOf(ctx: WorkerContext, { model: wanted, door }: RunItem, own: string | undefined): Promise<ModelClient> {
  const model = await ctx.openModel(wanted ?? own);
  if (door === 'cli' || wanted === undefined || wanted === own || model.facts.hasPrice) return model;
  throw new FixRequestError(
    'worker.unpriced-model',
    `The run does not start with ${model.facts.model}, because that model has no price in llm.yaml, so no quota of money could bound it. Leave "model" out, or have its operator add the price.`,
  );
}

/** The lowest of all limits, and of money no more than what the tenant's day has for this run until it is disposed. */
async function boundsOf(
  ctx: WorkerContext,
  item: RunItem,
  { agent, model }: Pick<Parts, 'agent' | 'model'>,
): Promise<Disposable & { readonly limits: RunLimits }> {
  const limits = lowestLimits(ctx.limits, agent.config.limits ?? {}, item.limits ?? {});
  const money = await holdMoney(ctx, item, { facts: model.facts, wantedUsd: limits.usd });
  return { limits: { ...limits, usd: Math.min(limits.usd, money.usd) }, [Symbol.dispose]: () => money[Symbol.dispose]() };
}

function tellUnpriced(ctx: WorkerContext, { facts }: ModelClient): void {
  ctx.emit({
    type: 'notice',
    message: `${facts.model} has no price in llm.yaml: its cost is unknown, and only the token limit bounds this run.`,
  });
}

function redactedItem(ctx: Pick<WorkerContext, 'redactor'>, item: RunItem): RunItem {
  const input = ctx.redactor.text(item.input);
  if (item.untrusted === undefined) return { ...item, input };
  return { ...item, input, untrusted: item.untrusted.map(({ source, text }) => ({ source, text: ctx.redactor.text(text) })) };
}

/** A run begins only under a tenant's policy that loosens nothing; one that is under way goes on under the strictest. */
function policyOfStart(ctx: WorkerContext, parts: Parameters<typeof compileOnce>[1]): PolicySnapshot {
  const snapshot = compileOnce(ctx, parts);
  refuseLooserTenant(snapshot);
  return snapshot;
}

interface Parts {
  readonly item: RunItem;
  readonly agent: LoadedAgent;
  readonly model: ModelClient;
  readonly inputs: RunInputs;
  readonly snapshot: PolicySnapshot;
  readonly facts: SandboxFacts | undefined;
  readonly limits: RunLimits;
}

/** Chosen once, when the run is accepted; people are told when there is none. */
async function chooseSandbox(ctx: WorkerContext, sandbox: RunSandbox, snapshot: Parts['snapshot']): Promise<SandboxFacts> {
  const { facts, notices } = await sandbox.choose(snapshot.sandbox.minimum);
  for (const message of notices) ctx.emit({ type: 'notice', message });
  if (!facts.available) ctx.emit({ type: 'notice', message: `This run has no commands. ${facts.reason}` });
  return facts;
}

async function acceptedEntry(ctx: WorkerContext, { item, agent, model, inputs, snapshot, facts, limits }: Parts): Promise<AcceptedEntry> {
  return {
    kind: 'accepted',
    v: 1,
    atMs: ctx.clock.now(),
    build: ctx.build,
    item: { ...item, workspace: nameFrom(ctx.home.tenantRoot(item.tenant), agent.workspace) },
    model: model.facts.model,
    isScripted: model.facts.isScripted,
    contextTokens: model.facts.contextTokens,
    maxOutputTokens: model.facts.maxOutputTokens,
    limits,
    pinned: await pinInputs({ objects: ctx.objects(item.tenant), memo: ctx.memo }, inputs, snapshot),
    ...(facts === undefined ? {} : { sandbox: facts }),
  };
}

/** One of a command gets its row now. A row that changed since it was read is not taken. */
async function holdStart(ctx: WorkerContext, accepted: AcceptedEntry, row: RunRow | undefined): Promise<RunHold> {
  const { model, atMs } = accepted;
  return row === undefined ? await holdNewRun(ctx, firstRow(accepted)) : await takeRun(ctx, row, { model, startedMs: atMs });
}

/** Whoever had the task before got further than it seemed. */
function alreadyBegun({ runId }: RunItem): RetryableError {
  return new RetryableError(
    'worker.run-begun',
    `Run ${runId} was begun by another worker in the meantime, so it cannot begin again. It is continued with the task's next delivery.`,
  );
}

/**
 * Not waited for: what follows in the same journal and ledger is durable only after it, and the model is not called before
 * that. A failure is met there, because both take nothing more after one.
 */
async function recordStart(ctx: WorkerContext, accepted: AcceptedEntry, journal: Pick<RunJournal, 'entries' | 'append'>): Promise<void> {
  const { item } = accepted;
  if (journal.entries.length > 0) throw alreadyBegun(item);
  const ledger = await ctx.ledger(item.tenant);
  for (const record of [journal.append(accepted), ledger.append(startEvent(accepted))]) record.catch(() => undefined);
  ctx.emit({
    type: 'run.started',
    run: item.runId,
    session: item.sessionId,
    agent: item.agent,
    model: accepted.model,
    isScripted: accepted.isScripted,
    isResumed: false,
  });
}

function firstRow({ item, model, atMs }: AcceptedEntry): RunRow {
  const { runId, sessionId, tenant, agent, door, project, lane } = item;
  const counts = { turns: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0 };
  const times = { createdMs: atMs, startedMs: atMs };
  return {
    id: runId,
    session: sessionId,
    tenant,
    agent,
    ...(project === undefined ? {} : { project }),
    ...(lane === undefined ? {} : { lane }),
    door,
    model,
    state: 'running',
    reason: '',
    inputPreview: item.input.slice(0, 200),
    ...times,
    ...counts,
  };
}

/** The same as long as the agent's folder says the same. */
function filesOf(ctx: WorkerContext, agent: LoadedAgent): ReadonlyMap<string, string> {
  return ofBoth(ctx.memo, { one: agent, other: ctx.redactor, key: 'files' }, () => pinnedFiles(ctx, agent));
}

/** In prompt order, with `agent.yaml` first; the names of the roots are part of the prompt. */
function pinnedFiles(ctx: WorkerContext, agent: LoadedAgent): Map<string, string> {
  const known = bootstrapFiles.map((file) => file.name);
  const memory = [...agent.files.keys()].filter((name) => name.startsWith('memory/'));
  const files = new Map([
    ['agent.yaml', agent.parsed.text],
    ['roots.json', JSON.stringify(agent.roots.map((root) => root.name))],
    ...(agent.mcp === undefined ? [] : [['mcp.json', JSON.stringify(agent.mcp)] as const]),
  ]);
  for (const name of [...known, ...memory]) {
    const text = agent.files.get(name);
    if (text !== undefined) files.set(name, text);
  }
  return redactFiles(ctx, files);
}

type PartialLimits = { readonly [K in keyof RunLimits]?: RunLimits[K] | undefined };

/** The lowest of each wins: a lower layer can only tighten. */
export function lowestLimits(...layers: readonly PartialLimits[]): RunLimits {
  const lowest = (name: keyof RunLimits): number => Math.min(...layers.map((layer) => layer[name] ?? Infinity));
  return {
    turns: lowest('turns'),
    seconds: lowest('seconds'),
    toolCalls: lowest('toolCalls'),
    tokens: lowest('tokens'),
    usd: lowest('usd'),
  };
}

function namesOf({ runId, sessionId, agent }: RunItem): RunNames {
  return { run: runId, session: sessionId, agent };
}
