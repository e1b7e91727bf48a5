import type { ToolResult } from '../../contracts/tool.ts';
import type { RecordedIntent, RunAgentContext } from '../run-context.ts';
import { askAboutCall, type AskedCall, type AskInput } from './ask-human.ts';
import { isPlan, performCall, planCall, recordResult } from './perform.ts';

/**
 * A call whose intent stands in the ledger and whose result nobody recorded: the process died in between. A change of a
 * file is settled by the file: the announced bytes are there, then it was done; the old ones are, then it is done now.
 * Anything else is a question for a human, because doing it twice may be worse than not at all.
 */
export async function resumeBegunCall(ctx: RunAgentContext, input: AskInput, intent: RecordedIntent): Promise<AskedCall> {
  const unknown = `it had begun when the run was interrupted, and whether it happened is not known${intent.target === undefined ? '' : ` (${intent.target} holds neither the old nor the new content)`}`;
  if (input.decided.tool.recovery !== 'compare-target' || intent.target === undefined || intent.after === undefined)
    return await askAboutCall(ctx, { ...input, because: unknown });
  const startedMs = ctx.clock.now();
  const current = await ctx.targetHash(intent.target);
  if (current === intent.after) {
    const result: ToolResult = {
      isError: false,
      text: `Done: ${intent.target} was changed as asked, just before the run was interrupted.`,
      data: { path: intent.target, sha256: intent.after },
    };
    return { result: await recordResult(ctx, input, { result, startedMs }) };
  }
  if (current !== intent.before) return await askAboutCall(ctx, { ...input, because: unknown });
  const plan = await planCall(input);
  if (plan !== undefined && !isPlan(plan)) return { result: await recordResult(ctx, input, { result: plan, startedMs }) };
  return { result: await performCall(ctx, input, plan) };
}
