import type { ModelClient } from '../contracts/model.ts';
import type { RunItem } from '../contracts/run.ts';
import { startRun } from '../worker/start-run.ts';
import type { CommandContext } from './command.ts';
import { drive } from './drive-run.ts';
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
 * model's place. Exit 3 when policy denied it.
 */
export async function driveToolCall(context: CommandContext, input: ToolCallInput): Promise<void> {
  const seen = { isDenied: false };
  const outcome = await drive(context, input.flags, async (worker) => {
    const emit: typeof worker.emit = (event) => {
      if (event.type === 'tool.result' && event.code === 'policy.denied') seen.isDenied = true;
      worker.emit(event);
    };
    return await startRun({ ...worker, emit, openModel: async () => callOnce(input) }, input.item, context.signal);
  });
  (await context.app.sessions()).setLastRun(input.item.sessionId, input.item.runId);
  if (outcome.state === 'done' && seen.isDenied) context.exit(exitCodes.denied);
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
