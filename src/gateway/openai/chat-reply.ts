import type { RunId, SessionId } from '../../contracts/ids.ts';
import type { RunTotals } from '../../contracts/run.ts';
import type { RunEnd } from '../../state/run-feed.ts';
import { RequestRefusedError } from '../request-refused-error.ts';

/** One run as the answer to a chat request. */
export interface ChatRun {
  readonly run: RunId;
  readonly session: SessionId;
  readonly model: string;
  readonly createdSeconds: number;
}

/** What a finished run says, and why it stops there. @throws RequestRefusedError when it gave no answer. */
export function contentOf(
  { run, session }: ChatRun,
  end: RunEnd,
  waiting: readonly string[],
): { readonly content: string; readonly finish: 'stop' | 'length' } {
  if (end.state === 'done') return { content: end.output, finish: 'stop' };
  if (end.state === 'limited') return { content: end.output, finish: 'length' };
  if (end.state === 'waiting') {
    const question = `This waits for a human: ${waiting.join(', ') || 'a question'} of run ${run}. When it is answered, the run goes on by itself; ask again in session ${session}.`;
    return { content: end.output === '' ? question : `${end.output}\n\n${question}`, finish: 'stop' };
  }
  // Not a 5xx: clients would ask again by themselves, and each time a run would start.
  const code = 'gateway.run-failed';
  throw new RequestRefusedError(422, code, `Run ${run} is ${end.state}: ${end.reason === '' ? 'it gave no answer' : end.reason}.`);
}

export function usageOf(totals: RunTotals | undefined): object {
  const { inputTokens = 0, outputTokens = 0 } = totals ?? {};
  return { prompt_tokens: inputTokens, completion_tokens: outputTokens, total_tokens: inputTokens + outputTokens };
}

/** What OpenAI's form has no place for. */
export function ownFields({ run, session }: ChatRun, { state, reason, totals }: RunEnd, waiting: readonly string[]): object {
  const cost = totals?.costMicroUsd;
  return { run, session, state, reason, waiting, ...(cost === undefined ? {} : { costMicroUsd: cost }) };
}

export function completionOf(chat: ChatRun, end: RunEnd, waiting: readonly string[]): object {
  const { content, finish } = contentOf(chat, end, waiting);
  return {
    id: `chatcmpl-${chat.run}`,
    object: 'chat.completion',
    created: chat.createdSeconds,
    model: chat.model,
    choices: [{ index: 0, message: { role: 'assistant', content, refusal: null }, logprobs: null, finish_reason: finish }],
    usage: usageOf(end.totals),
    clawhold: ownFields(chat, end, waiting),
  };
}
