import type { LoopContext } from './pipelined.ts';
import type { ApprovalId } from '../../contracts/ids.ts';
import type { Tool, ToolResult } from '../../contracts/tool.ts';
import type { AgentRun } from '../run-context.ts';
import { askAboutCall, deny } from './ask-human.ts';
import type { DecidedCall } from './decide-turn.ts';
import { performCall, recordResult } from './perform.ts';
import type { Recorded } from './recorded.ts';
import { resumeBegunCall, settleDeniedCall } from './resume-call.ts';

export interface TurnInput {
  readonly run: AgentRun;
  readonly calls: readonly DecidedCall[];
  readonly recorded: Recorded;
  readonly signal: AbortSignal;
}

export interface TurnResult {
  /** By call id; complete unless something waits. */
  readonly results: ReadonlyMap<string, ToolResult>;
  readonly waiting: readonly ApprovalId[];
}

/**
 * Carries out the decided calls of one turn: refusals at once, then reads in parallel, then effects in order, then
 * the questions to a human. What the journal already holds is not done again.
 */
export async function finishTurn(ctx: LoopContext, input: TurnInput): Promise<TurnResult> {
  const results = new Map<string, ToolResult>();
  const waiting: ApprovalId[] = [];
  const open: DecidedCall[] = [];
  for (const decided of input.calls) {
    const known = input.recorded.result.get(decided.callId);
    if (known === undefined) open.push(decided);
    else results.set(decided.callId, known.result);
  }
  const reads = open.filter((decided) => decided.decision.verdict === 'allow' && decided.tool?.recovery === 'redo');
  const rest = open.filter((decided) => !reads.includes(decided));
  for (const decided of rest.filter((one) => one.decision.verdict === 'deny'))
    results.set(decided.callId, await refuse(ctx, input, decided));
  await Promise.all(reads.map(async (decided) => void results.set(decided.callId, await performCall(ctx, callInput(input, decided)))));
  const later = [...rest.filter((one) => one.decision.verdict === 'allow'), ...rest.filter((one) => one.decision.verdict === 'ask')];
  for (const decided of later) {
    input.signal.throwIfAborted();
    const outcome = await effect(ctx, input, decided);
    if ('waiting' in outcome) waiting.push(outcome.waiting);
    else results.set(decided.callId, outcome.result);
  }
  return { results, waiting };
}

async function effect(
  ctx: LoopContext,
  input: TurnInput,
  decided: DecidedCall,
): Promise<{ readonly result: ToolResult } | { readonly waiting: ApprovalId }> {
  const call = { ...callInput(input, decided), recorded: input.recorded };
  const intent = ctx.intents.get(decided.callId);
  if (intent !== undefined) return await resumeBegunCall(ctx, call, intent);
  if (decided.decision.verdict === 'ask') return await askAboutCall(ctx, call);
  return { result: await performCall(ctx, call) };
}

function callInput(
  input: TurnInput,
  decided: DecidedCall,
): { run: AgentRun; decided: DecidedCall & { readonly tool: Tool }; signal: AbortSignal } {
  if (decided.tool === undefined) throw new TypeError(`call ${decided.callId} has no tool and must have been refused`);
  return { run: input.run, decided: { ...decided, tool: decided.tool }, signal: input.signal };
}

async function refuse(ctx: LoopContext, { run }: TurnInput, decided: DecidedCall): Promise<ToolResult> {
  const startedMs = ctx.clock.now();
  if (decided.refused !== undefined) return await recordResult(ctx, { run, decided }, { result: decided.refused, startedMs });
  const intent = ctx.intents.get(decided.callId);
  if (intent !== undefined) return await settleDeniedCall(ctx, { run, decided }, intent);
  const code = decided.decision.rule.id === 'sandbox.unavailable' ? 'sandbox.unavailable' : 'policy.denied';
  return await deny(ctx, { run, decided }, { code, why: decided.decision.reason, startedMs });
}
