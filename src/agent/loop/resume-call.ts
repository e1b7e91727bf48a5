import type { LoopContext } from './pipelined.ts';
import type { Tool, ToolResult } from '../../contracts/tool.ts';
import type { AgentRun, RecordedIntent } from '../run-context.ts';
import { askAboutCall, deny, type AskedCall, type AskInput } from './ask-human.ts';
import type { DecidedCall } from './decide-turn.ts';
import { isPlan, performCall, planCall, recordResult } from './perform.ts';

type Outcome = 'done' | 'not-done' | 'unknown';

/**
 * A call whose intent stands in the ledger and whose result nobody recorded: the process died in between. A change of a
 * file is settled by the file: the announced bytes are there, then it was done; the old ones are, then it is done now,
 * unless policy asks a human by now. Anything else is a question for a human, because doing it twice may be worse than
 * not at all.
 */
export async function resumeBegunCall(ctx: LoopContext, input: AskInput, intent: RecordedIntent): Promise<AskedCall> {
  const outcome = await outcomeOf(ctx, input.decided.tool, intent);
  if (outcome === 'done') return { result: await recordDone(ctx, input, intent) };
  if (outcome === 'unknown') return await askAboutCall(ctx, { ...input, because: unknownOutcome(input.decided.tool, intent) });
  const isApproved = input.recorded.answered.get(input.decided.callId)?.answer === 'approved';
  if (input.decided.decision.verdict === 'ask' && !isApproved) return await askAboutCall(ctx, input);
  const plan = await planCall(input);
  if (plan !== undefined && !isPlan(plan)) return { result: await recordResult(ctx, input, { result: plan, startedMs: ctx.clock.now() }) };
  return { result: await performCall(ctx, input, plan) };
}

/** The same for a call that policy denies by now: nothing more is done, and what was done is not denied. */
export async function settleDeniedCall(
  ctx: LoopContext,
  input: { readonly run: AgentRun; readonly decided: DecidedCall },
  intent: RecordedIntent,
): Promise<ToolResult> {
  const outcome = await outcomeOf(ctx, input.decided.tool, intent);
  if (outcome === 'done') return await recordDone(ctx, input, intent);
  return await deny(ctx, input, {
    code: 'policy.denied',
    why: input.decided.decision.reason,
    startedMs: ctx.clock.now(),
    isUnknown: outcome === 'unknown',
  });
}

async function outcomeOf(ctx: LoopContext, tool: Tool | undefined, intent: RecordedIntent): Promise<Outcome> {
  if (tool?.recovery !== 'compare-target' || intent.target === undefined || intent.after === undefined) return 'unknown';
  const current = await ctx.targetHash(intent.target);
  if (current === intent.after) return 'done';
  return current === intent.before ? 'not-done' : 'unknown';
}

function unknownOutcome(tool: Tool, intent: RecordedIntent): string {
  const where = tool.recovery === 'compare-target' ? ` (${intent.target ?? 'its target'} holds neither the old nor the new content)` : '';
  return `it had begun when the run was interrupted, and whether it happened is not known${where}`;
}

async function recordDone(
  ctx: LoopContext,
  input: { readonly run: AgentRun; readonly decided: DecidedCall },
  { target, after }: RecordedIntent,
): Promise<ToolResult> {
  const result: ToolResult = {
    isError: false,
    text: `Done: ${target} was changed as asked, just before the run was interrupted.`,
    data: { path: target ?? '', sha256: after ?? '' },
  };
  return await recordResult(ctx, input, { result, startedMs: ctx.clock.now() });
}
