import type { ApprovalId } from '../contracts/ids.ts';
import { ClawholdError } from '../contracts/errors.ts';
import type { SandboxFacts } from '../contracts/isolation.ts';
import type { Message, ModelAnswer, ModelRequest } from '../contracts/model.ts';
import type { RunState, RunTotals } from '../contracts/run.ts';
import type { ToolResult } from '../contracts/tool.ts';
import { newTrust, type Trust } from '../governance/labels.ts';
import { fenceUntrusted } from './fence.ts';
import { askModel } from './loop/ask-model.ts';
import { compactMessages } from './loop/compact.ts';
import { decideTurn, type DecidedCall } from './loop/decide-turn.ts';
import { finishTurn } from './loop/finish-turn.ts';
import { nothingSpent, reachedCallLimit, reachedLimit, type Spent } from './loop/limits.ts';
import { pipelined, type LoopContext } from './loop/pipelined.ts';
import { recordEvent } from './loop/record.ts';
import { indexJournal, sandboxDied, type Recorded } from './loop/recorded.ts';
import type { AgentRun, RunAgentContext } from './run-context.ts';
import { isRunCancelled, isRunReleased, isRunTimedOut } from './run-signal.ts';

export interface RunOutcome {
  readonly state: RunState;
  /** One sentence for everyone who may see the run: no place of this machine is in it. */
  readonly reason: string;
  /** The same with everything, for whoever runs the installation: absent when it says no more. */
  readonly detail?: string;
  readonly code?: string;
  readonly output: string;
  readonly totals: RunTotals;
  readonly waiting: readonly ApprovalId[];
}

/** The state of the loop between two turns. */
interface Loop {
  readonly ctx: LoopContext;
  readonly run: AgentRun;
  readonly recorded: Recorded;
  readonly trust: Trust;
  readonly spent: Spent;
  readonly signal: AbortSignal;
  messages: readonly Message[];
  /** Its commands are denied until somebody resumes the run. */
  isSandboxDead: boolean;
  /** The last words of the model: what a run that ends early still has to show. */
  lastText: string;
}

type Ending = Pick<RunOutcome, 'state' | 'reason' | 'detail'> & { readonly code?: string; readonly waiting?: readonly ApprovalId[] };

/**
 * Runs an agent from its first prompt to its last message: model call → decisions → calls → results, turn by turn.
 *
 * States: every turn begins with the limits and, if needed, compaction; then the model is asked; no calls in the answer
 * ends the run `done`; otherwise all calls are decided together and carried out; an open question parks the run
 * `waiting`. A limit ends it `limited`, a failure `failed`, a human `cancelled`, each with what was reached so far.
 *
 * Contract: works the same on a journal that already holds a part of the run: what is recorded is used, only what is
 * missing happens. Failures of model and surroundings end in a state; a failure to record throws, and so
 * does a signal that gives the run back (`RunStopped` with `released`, a lost lease).
 */
export async function runAgent(given: RunAgentContext, run: AgentRun, signal: AbortSignal): Promise<RunOutcome> {
  const ctx = pipelined(given);
  const recorded = indexJournal(ctx.journal.entries);
  const loop: Loop = {
    ctx,
    run,
    recorded,
    trust: initialTrust(run),
    spent: nothingSpent(),
    signal,
    messages: firstMessages(run),
    isSandboxDead: recorded.isSandboxDead,
    lastText: '',
  };
  if (recorded.prompt === undefined) {
    await ctx.journal.append({ kind: 'prompt', system: run.prompt.sha256, parts: run.prompt.parts });
  }
  const ending = await walk(loop);
  const outcome = { ...ending, output: loop.lastText, totals: totalsOf(loop.spent), waiting: ending.waiting ?? [] };
  if (ctx.endEntry !== undefined) await ctx.journal.append(ctx.endEntry(outcome));
  await ctx.settled();
  return outcome;
}

async function walk(loop: Loop): Promise<Ending> {
  try {
    for (let turn = 1; ; turn += 1) {
      const ending = await oneTurn(loop, turn);
      if (ending !== undefined) return ending;
    }
  } catch (error) {
    if (isRunReleased(loop.signal)) throw loop.signal.reason;
    if (isRunTimedOut(loop.signal))
      return { state: 'limited', code: 'limit.seconds', reason: `the limit of ${loop.run.limits.seconds} seconds is reached` };
    if (isRunCancelled(loop.signal))
      return { state: 'cancelled', code: 'run.cancelled', reason: 'it was stopped; continue it with: clawhold runs resume' };
    if (error instanceof ClawholdError && !error.code.startsWith('state.')) return failed(loop.ctx, error);
    throw error;
  }
}

function failed({ redactor }: LoopContext, error: ClawholdError): Ending {
  const [reason, detail] = [redactor.text(error.publicMessage), redactor.text(error.message)];
  return { state: 'failed', code: error.code, reason, ...(detail === reason ? {} : { detail }) };
}

async function oneTurn(loop: Loop, turn: number): Promise<Ending | undefined> {
  const { ctx, run, spent } = loop;
  loop.signal.throwIfAborted();
  const limit = reachedLimit(spent, run.limits);
  if (limit !== undefined) return { state: 'limited', code: 'limit.reached', reason: limit };
  const fits = await compact(loop, turn);
  if (!fits)
    return {
      state: 'limited',
      code: 'limit.context',
      reason: `the conversation no longer fits the model's window of ${run.contextTokens} tokens`,
    };
  ctx.emit({ type: 'turn', turn });
  const answer = await askModel(ctx, { run, turn, request: requestOf(loop), recorded: loop.recorded, spent, signal: loop.signal });
  if (answer.text !== '') loop.lastText = answer.text;
  loop.messages = [...loop.messages, { role: 'assistant', text: answer.text, toolCalls: answer.toolCalls }];
  return answer.toolCalls.length === 0 ? lastTurn(answer) : await callTools(loop, turn, answer);
}

function lastTurn(answer: ModelAnswer): Ending {
  if (answer.stop === 'length')
    return { state: 'limited', code: 'limit.output-tokens', reason: 'the answer was cut at the limit of output tokens' };
  if (answer.stop === 'refusal') return { state: 'failed', code: 'models.refused', reason: 'the model refused to answer' };
  return { state: 'done', reason: 'the agent finished' };
}

async function compact(loop: Loop, turn: number): Promise<boolean> {
  const compacted = compactMessages(requestOf(loop), loop.run.contextTokens);
  loop.messages = compacted.messages;
  if (compacted.elided.length > 0 && !loop.recorded.compaction.has(turn)) {
    await loop.ctx.journal.append({ kind: 'compaction', turn, elided: compacted.elided, estimatedTokens: compacted.estimatedTokens });
    loop.ctx.emit({
      type: 'notice',
      message: `The conversation outgrew the model's window: ${compacted.elided.length} old tool results were shortened.`,
    });
  }
  return compacted.fits;
}

async function callTools(loop: Loop, turn: number, answer: ModelAnswer): Promise<Ending | undefined> {
  const { ctx, run, spent } = loop;
  const limit = reachedCallLimit(spent, answer.toolCalls.length, run.limits);
  if (limit !== undefined) return { state: 'limited', code: 'limit.tool-calls', reason: limit };
  spent.toolCalls += answer.toolCalls.length;
  const calls = await decideAndRecord(loop, turn, answer);
  await ctx.settled();
  const finished = await finishTurn(ctx, { run, calls, recorded: loop.recorded, signal: loop.signal });
  if (finished.waiting.length > 0) {
    return {
      state: 'waiting',
      code: 'approval.needed',
      reason: `${finished.waiting.length === 1 ? '1 call waits' : `${finished.waiting.length} calls wait`} for a human's approval`,
      waiting: finished.waiting,
    };
  }
  for (const decided of calls) addResult(loop, decided, finished.results.get(decided.callId));
  return undefined;
}

/** All decisions stand in journal and ledger before the first call happens. A turn that is already complete is not decided again. */
async function decideAndRecord(loop: Loop, turn: number, answer: ModelAnswer): Promise<DecidedCall[]> {
  const { ctx, run, recorded } = loop;
  const before = recorded.decisions.get(turn);
  const isComplete = answer.toolCalls.every((_, index) => recorded.result.has(`${turn}.${index + 1}`));
  const nowMs = isComplete && before !== undefined ? (before.calls[0]?.request.nowMs ?? 0) : ctx.clock.now();
  const policies = before === undefined || isComplete ? [run.pinnedPolicy] : [run.pinnedPolicy, await ctx.currentPolicy()];
  const sandbox = sandboxAt(loop, turn, before !== undefined);
  const calls = decideTurn(ctx, { run, calls: answer.toolCalls, options: { turn, trust: loop.trust, policies, nowMs, sandbox } });
  ctx.observe?.decided({ turn, calls });
  if (before !== undefined && isComplete) return calls;
  await recordDecisions(loop, turn, calls);
  return calls;
}

/** The pinned one, unless it died before: what a command is decided by is in the record, for a replay too. */
function sandboxAt({ run, recorded, isSandboxDead }: Loop, turn: number, isRecorded: boolean): SandboxFacts | undefined {
  const isDead = isRecorded ? recorded.withoutSandbox.has(turn) : isSandboxDead;
  return isDead ? { available: false, reason: 'the sandbox of this run died, and no other takes its place within the run' } : run.sandbox;
}

async function recordDecisions(loop: Loop, turn: number, calls: readonly DecidedCall[]): Promise<void> {
  const { ctx, run } = loop;
  const pinnedPolicy = run.pinnedPolicy.hash;
  await Promise.all([
    ctx.journal.append({
      kind: 'decisions',
      turn,
      calls: calls.map(({ callId, request, requestHash, decision }) => ({ callId, request, requestHash, decision })),
    }),
    ...calls.map((call) =>
      recordEvent(ctx, run, {
        type: 'tool.decision',
        call: call.callId,
        tool: call.request.tool,
        request: call.requestHash,
        verdict: call.decision.verdict,
        rule: call.decision.rule,
        policy: call.decision.policyHash,
        pinnedPolicy,
      }),
    ),
  ]);
  for (const call of calls) {
    const { verdict, rule, reason, remedy, layers } = call.decision;
    const grant = layers.find((layer) => layer.layer === 'agent')?.rule;
    ctx.emit({
      type: 'tool.decision',
      call: call.callId,
      tool: call.request.tool,
      args: call.call.argumentsText,
      verdict,
      rule,
      reason,
      remedy,
      ...(grant === undefined ? {} : { grant }),
    });
  }
}

function addResult(loop: Loop, decided: DecidedCall, result: ToolResult | undefined): void {
  if (result === undefined) throw new TypeError(`call ${decided.callId} ended without a result`);
  const source = result.source ?? `tool:${decided.request.tool}`;
  if (result.code === sandboxDied && !loop.recorded.result.has(decided.callId)) loop.isSandboxDead = true;
  if (decided.tool !== undefined && !result.isError) loop.trust.addResult(decided.tool, decided.request, result);
  else loop.trust.addUntrustedText(result.text, source);
  const text = isOurOwn(result) ? result.text : fenceUntrusted(result.text, source);
  loop.messages = [...loop.messages, { role: 'tool', callId: decided.call.id, name: decided.call.name, text, isError: result.isError }];
}

/** Refusals of the runtime itself; everything a tool says is data, its errors too. */
function isOurOwn(result: ToolResult): boolean {
  return result.isError && /^(policy|approval|tool)\./.test(result.code ?? '');
}

function requestOf(loop: Loop): ModelRequest {
  const { run, messages } = loop;
  return { model: run.model, system: run.prompt.system, messages, tools: run.offered, maxOutputTokens: run.maxOutputTokens };
}

function firstMessages(run: AgentRun): Message[] {
  const history = run.history.map((message): Message =>
    message.role === 'user' ? { role: 'user', text: message.text } : { role: 'assistant', text: message.text, toolCalls: [] },
  );
  const { input, untrusted = [] } = run.item;
  const text = [input, ...untrusted.map((part) => fenceUntrusted(part.text, part.source))].join('\n\n');
  return [...history, { role: 'user', text }];
}

/** The user and the files that humans wrote are trusted; everything else that is in the first prompt is not. */
function initialTrust(run: AgentRun): Trust {
  const trust = newTrust();
  trust.addAllowed(run.pinnedPolicy.trusted);
  for (const [name, text] of run.trustedFiles) trust.addAgentFile(name, text);
  for (const [name, text] of run.untrustedFiles) trust.addUntrustedText(text, `agent:${name}`);
  for (const message of run.history) {
    if (message.role === 'user') trust.addUserText(message.text);
    else trust.addUntrustedText(message.text, `session:${message.run}`);
  }
  trust.addUserText(run.item.input);
  for (const { source, text } of run.item.untrusted ?? []) trust.addUntrustedText(text, source);
  return trust;
}

function totalsOf(spent: Spent): RunTotals {
  return {
    turns: spent.turns,
    toolCalls: spent.toolCalls,
    inputTokens: spent.inputTokens,
    outputTokens: spent.outputTokens,
    ...(spent.isCostKnown ? { costMicroUsd: spent.costMicroUsd } : {}),
  };
}
