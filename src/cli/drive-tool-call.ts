import type { ModelClient } from '../contracts/model.ts';
import type { RunItem } from '../contracts/run.ts';
import { startRun } from '../worker/start-run.ts';
import type { CommandContext } from './command.ts';
import { drive, type DrivenOutcome } from './drive-run.ts';
import { exitCodes } from './exit-codes.ts';
import type { RunFlags } from './run-options.ts';

export interface ToolCallInput {
  readonly item: RunItem;
  readonly flags: RunFlags;
  readonly tool: string;
  readonly argumentsText: string;
}

/**
 * One call, made by a person with an agent's rights: a run like any other, in whose only turn the person takes the
 * model's place. A call that failed is a failed command: 3 when policy denied it, 2 when it was not a call of that tool, else 1.
 */
export async function driveToolCall(context: CommandContext, input: ToolCallInput): Promise<void> {
  const seen: { failure?: Pick<Failure, 'code' | 'exitCode'> } = {};
  await drive(context, input.flags, async (worker) => {
    const emit: typeof worker.emit = (event) => {
      if (event.type === 'tool.result' && event.isError) seen.failure = failureOf(event.code);
      worker.emit(event);
    };
    const outcome = await startRun({ ...worker, emit, openModel: async () => callOnce(input) }, input.item, context.signal);
    if (outcome.state !== 'done' || seen.failure === undefined) return outcome;
    return { ...outcome, failure: { ...seen.failure, message: outcome.output.trim(), remedy: 'fix-request' } };
  });
  (await context.app.sessions()).setLastRun(input.item.sessionId, input.item.runId);
}

type Failure = NonNullable<DrivenOutcome['failure']>;

function failureOf(code: string = 'error'): Pick<Failure, 'code' | 'exitCode'> {
  if (code === 'policy.denied') return { code, exitCode: exitCodes.denied };
  const isMistake = code === 'tool.unknown' || code === 'tool.bad-arguments';
  return { code, exitCode: isMistake ? exitCodes.usage : exitCodes.error };
}

/** Stands where the model stands: asks for the call, then repeats what it gave. */
function callOnce({ tool, argumentsText }: ToolCallInput): ModelClient {
  const facts = { model: 'cli/tools-call', isScripted: true, contextTokens: 1_000_000, maxOutputTokens: 1, hasPrice: true };
  return {
    facts,
    call: async ({ messages }, { onText }) => {
      const result = messages.findLast((message) => message.role === 'tool');
      const usage = { inputTokens: 0, outputTokens: 0 };
      if (result === undefined)
        return {
          answer: { text: '', toolCalls: [{ id: 'cli', name: tool, argumentsText }], stop: 'tool', usage },
          costMicroUsd: 0,
          attempts: 1,
        };
      const text = withoutFence(result.text);
      onText?.(text);
      return { answer: { text, toolCalls: [], stop: 'end', usage }, costMicroUsd: 0, attempts: 1 };
    },
  };
}

/** The fence is for models; a person asked for the text. */
function withoutFence(text: string): string {
  return text.replace(/^<untrusted source="[^"]*">\n([\s\S]*)\n<\/untrusted>$/, '$1');
}
