import type { ModelClient } from '../contracts/model.ts';
import type { RunItem } from '../contracts/run.ts';
import { readJournal } from '../state/journal.ts';
import { startRun } from '../worker/start-run.ts';
import type { WorkerContext } from '../worker/worker-context.ts';
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
 * model's place. A call that failed is a failed command: 3 when policy denied it, 5 without a sandbox, 2 when it was not a call of that tool, else 1.
 */
export async function driveToolCall(context: CommandContext, input: ToolCallInput): Promise<void> {
  const seen: { failure?: Pick<Failure, 'code' | 'exitCode'> } = {};
  await drive(context, input.flags, async (worker) => {
    const emit: typeof worker.emit = (event) => {
      if (event.type === 'tool.result' && event.isError) seen.failure = failureOf(event.code);
      worker.emit(event);
    };
    const outcome = await startRun(
      { ...worker, emit, openModel: async () => callOnce(input.tool, input.argumentsText) },
      input.item,
      context.signal,
    );
    if (outcome.state !== 'done' || seen.failure === undefined) return outcome;
    return { ...outcome, failure: { ...seen.failure, message: outcome.output.trim(), remedy: 'fix-request' } };
  });
  (await context.app.sessions()).setLastRun(input.item.sessionId, input.item.runId);
}

type Failure = NonNullable<DrivenOutcome['failure']>;

function failureOf(code: string = 'error'): Pick<Failure, 'code' | 'exitCode'> {
  if (code === 'policy.denied') return { code, exitCode: exitCodes.denied };
  if (code === 'sandbox.unavailable') return { code, exitCode: exitCodes.sandboxUnavailable };
  if (code.startsWith('approval.')) return { code, exitCode: exitCodes.approvalNeeded };
  const isMistake = code === 'tool.unknown' || code === 'tool.bad-arguments';
  return { code, exitCode: isMistake ? exitCodes.usage : exitCodes.error };
}

/** The name of the person who took the model's place, in the record. */
const toolCallModel = 'cli/tools-call';

/** The message that such a run begins with. */
export function toolCallMessage(tool: string, argumentsText: string): string {
  return `Call ${tool} with ${argumentsText}`;
}

/** The worker for a run that goes on: one that a person began has that person's call in place of a model. */
export async function withPersonAsModel(worker: WorkerContext, model: string, journalFile: string): Promise<WorkerContext> {
  if (model !== toolCallModel) return worker;
  const accepted = (await readJournal(journalFile)).find((entry) => entry.kind === 'accepted');
  const [, tool = '', argumentsText = ''] = /^Call (\S+) with ([^]*)$/.exec(accepted?.item.input ?? '') ?? [];
  return { ...worker, openModel: async () => callOnce(tool, argumentsText) };
}

/** Stands where the model stands: asks for the call, then repeats what it gave. */
function callOnce(tool: string, argumentsText: string): ModelClient {
  const facts = { model: toolCallModel, isScripted: true, contextTokens: 1_000_000, maxOutputTokens: 1, hasPrice: true };
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
