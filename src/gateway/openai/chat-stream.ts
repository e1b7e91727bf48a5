import type { FeedEvent } from '../../contracts/run-feed.ts';
import type { RunEnd } from '../../state/run-feed.ts';
import { openAiErrorBody, problemOf } from '../http/problem.ts';
import { contentOf, ownFields, usageOf, type ChatRun } from './chat-reply.ts';

export interface ChatStream {
  readonly chat: ChatRun;
  readonly events: AsyncIterable<FeedEvent>;
  readonly hasUsage: boolean;
  readonly requestId: string;
  readonly waiting: () => readonly string[];
  /** Hears everything that was said when the run ended well. */
  readonly onEnd: (said: string) => Promise<void>;
}

/**
 * A run as chunks of a chat completion: the text of every turn as it comes. Parts come from this process's workers; what
 * another process wrote, or a part that was missed, comes whole when its turn stands in the journal.
 */
export async function* chatFrames(stream: ChatStream): AsyncGenerator<string, void> {
  const { chat, hasUsage, requestId } = stream;
  yield chunk(chat, { choices: [choice({ role: 'assistant', content: '' })] });
  const turns = newTurnText();
  let said = '';
  for await (const { type, data } of stream.events) {
    const part = type === 'end' ? '' : turns.next(type, data as TurnData);
    if (part !== '') {
      said += part;
      yield chunk(chat, { choices: [choice({ content: part })] });
    }
    if (type !== 'end') continue;
    const end = data as RunEnd;
    try {
      const waiting = stream.waiting();
      const { content, finish } = contentOf(chat, end, waiting);
      // A run that waits says so; one that ended without a turn's text still has its output.
      const rest = said === '' ? content : end.state === 'waiting' ? `\n\n${content}` : '';
      said += rest;
      if (rest !== '') yield chunk(chat, { choices: [choice({ content: rest })] });
      yield chunk(chat, { choices: [choice({}, finish)], clawhold: ownFields(chat, end, waiting) });
      if (hasUsage) yield chunk(chat, { choices: [], usage: usageOf(end.totals) });
      await stream.onEnd(said);
    } catch (error) {
      yield `data: ${openAiErrorBody(problemOf(error), requestId)}\n\n`;
    }
    yield 'data: [DONE]\n\n';
    return;
  }
}

interface TurnData {
  readonly turn?: number;
  readonly at?: number;
  readonly delta?: string;
  readonly answer?: { readonly text: string };
}

/** Puts parts and whole texts of turns together, so that every character is said once and in order. */
function newTurnText(): { next(type: string, data: TurnData): string } {
  let turn = 0;
  let sent = '';
  let hasSaid = false;
  const say = (part: string): string => {
    if (part === '') return '';
    const isFirst = sent === '' && hasSaid;
    sent += part;
    hasSaid = true;
    return isFirst ? `\n\n${part}` : part;
  };
  return {
    next: (type, data) => {
      const isText = type === 'text' || type === 'model.answer' || type === 'text.discarded';
      if (!isText) return '';
      if (data.turn !== turn || type === 'text.discarded') {
        turn = data.turn ?? turn;
        sent = '';
      }
      if (type === 'text') return data.at === sent.length ? say(data.delta ?? '') : '';
      const whole = data.answer?.text ?? '';
      return whole.startsWith(sent) ? say(whole.slice(sent.length)) : '';
    },
  };
}

function choice(delta: object, finish: string | null = null): object {
  return { index: 0, delta, logprobs: null, finish_reason: finish };
}

function chunk(chat: ChatRun, fields: object): string {
  const { run, model, createdSeconds } = chat;
  const common = { id: `chatcmpl-${run}`, object: 'chat.completion.chunk', created: createdSeconds, model };
  return `data: ${JSON.stringify({ ...common, ...fields })}\n\n`;
}
