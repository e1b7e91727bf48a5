import * as z from 'zod/mini';
import type { RunRequest } from '../../contracts/admission.ts';
import type { AgentId } from '../../contracts/ids.ts';
import type { UntrustedPart } from '../../contracts/run.ts';
import { hashJson } from '../../contracts/json.ts';
import { RequestRefusedError } from '../request-refused-error.ts';

const text = z.union([z.string(), z.array(z.looseObject({ type: z.string(), text: z.optional(z.string()) }))]);

/** What is understood of a request in OpenAI's form. Fields that only tune a model (temperature and the like) are the agent's business and are ignored. */
export const chatRequest = z.looseObject({
  model: z.string(),
  messages: z
    .array(
      z.looseObject({
        role: z.enum(['system', 'developer', 'user', 'assistant', 'tool', 'function']),
        content: z.optional(z.nullable(text)),
      }),
    )
    .check(z.minLength(1), z.maxLength(2000)),
  stream: z.optional(z.nullable(z.boolean())),
  stream_options: z.optional(z.nullable(z.looseObject({ include_usage: z.optional(z.boolean()) }))),
});
export type ChatRequest = z.infer<typeof chatRequest>;

/** One message as plain text. */
export interface ChatMessage {
  readonly role: ChatRequest['messages'][number]['role'];
  readonly text: string;
}

/** The parts of a conversation: what was said up to the last answer, and what is asked now. */
export interface Conversation {
  readonly agent: AgentId;
  readonly earlier: readonly ChatMessage[];
  readonly asked: readonly ChatMessage[];
}

/** @throws RequestRefusedError (OpenAI's client shows its sentence) for what an agent cannot do. */
export function readConversation(request: ChatRequest): Conversation {
  refuseUnsupported(request);
  const agent = /^agent\/([a-z][a-z0-9-]{0,62})$/.exec(request.model)?.[1];
  if (agent === undefined) {
    const code = 'gateway.unknown-model';
    const message = `There is no model ${JSON.stringify(request.model.slice(0, 80))}: models are agents, as agent/NAME. GET /v1/models lists them.`;
    throw new RequestRefusedError(404, code, message);
  }
  const messages = request.messages.map(({ role, content }) => ({ role, text: textOf(content) }));
  const split = messages.findLastIndex(({ role }) => role !== 'user' && role !== 'system' && role !== 'developer') + 1;
  const conversation = { agent: agent as AgentId, earlier: messages.slice(0, split), asked: messages.slice(split) };
  if (conversation.asked.some((message) => message.role === 'user' && message.text.trim() !== '')) return conversation;
  throw unsupported('The last message must be a user’s, with a text.');
}

/** Fields that would change what the answer means: ignoring them would be a lie. */
function refuseUnsupported(request: ChatRequest): void {
  const { tools, functions, n, response_format: format, logprobs, audio, stop } = request as Readonly<Record<string, unknown>>;
  if (!isEmpty(tools) || !isEmpty(functions)) throw unsupported('An agent has its own tools, which a human granted: leave "tools" out.');
  if (!isEmpty(n) && n !== 1) throw unsupported('One request gives one answer: leave "n" out.');
  if (!isEmpty(format) && (format as { type?: unknown }).type !== 'text')
    throw unsupported('Answers are text: leave "response_format" out.');
  if (!isEmpty(audio) || logprobs === true) throw unsupported('Answers are text without log probabilities.');
  if (!isEmpty(stop)) throw unsupported('An agent ends when its work does: leave "stop" out.');
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || (Array.isArray(value) && value.length === 0);
}

function textOf(content: ChatRequest['messages'][number]['content']): string {
  if (content === undefined || content === null) return '';
  if (typeof content === 'string') return content;
  return content
    .map((part) => {
      if (part.type === 'text' || part.type === 'refusal') return part.text ?? '';
      throw unsupported(`Messages are text, and one has a part of type ${JSON.stringify(part.type.slice(0, 40))}.`);
    })
    .join('\n');
}

function unsupported(sentence: string): RequestRefusedError {
  const code = 'gateway.unsupported';
  return new RequestRefusedError(400, code, sentence);
}

/** The name of a conversation up to some message, for who sends all of it with every request: for each project another. */
export function conversationKey(
  agent: AgentId,
  messages: readonly ChatMessage[],
  { project, lane }: Pick<RunRequest, 'project' | 'lane'> = {},
): string {
  const place = project === undefined ? [] : [[project, lane ?? '']];
  return `chat:${hashJson([agent, ...place, ...messages.map((message) => [message.role, message.text.trim()])])}`;
}

const maxQuoted = 64;

/** What a run is told: the client's own words, and beside them what a model or a tool had said. */
export interface ChatInput {
  readonly input: string;
  readonly untrusted: readonly UntrustedPart[];
}

/**
 * The input of a run. `isKnown`: its session holds what was said before, so only what is asked now is said.
 *
 * Otherwise everything that the client's own words are (system, developer and user messages) stands in it, in order.
 * Answers of an assistant and results of tools come along as data from outside, with a mark in their place: the input
 * counts as the user's own words, by which policy trusts addresses and names, and a text that a model or a page wrote
 * must not become that.
 */
export function inputOf({ earlier, asked }: Conversation, isKnown: boolean): ChatInput {
  const isOnlyQuestion = asked.length === 1 && (isKnown || earlier.length === 0);
  if (isOnlyQuestion) return { input: asked[0]?.text ?? '', untrusted: [] };
  const quoted = isKnown ? [] : earlier.filter((message) => !isOwnWord(message) && message.text !== '');
  const before = isKnown ? [] : earlier.map((message) => (isOwnWord(message) ? labelled(message) : markOf(message, quoted)));
  const now = asked.map((message) => (before.length === 0 && message.role === 'user' ? message.text : labelled(message)));
  return {
    input: [...before, ...now].filter((part) => part !== '').join('\n\n'),
    untrusted: quoted.slice(-maxQuoted).map(({ role, text: said }) => ({ source: `chat:${role}`, text: said })),
  };
}

/** Where something stood that is quoted below; empty for what said nothing. */
function markOf(message: ChatMessage, quoted: readonly ChatMessage[]): string {
  const place = quoted.indexOf(message);
  if (place === -1) return '';
  const fromEnd = quoted.length - place;
  if (fromEnd > maxQuoted) return '[an earlier answer is left out here]';
  return message.role === 'assistant' ? '[here stood an answer; it is quoted below]' : '[here stood a result; it is quoted below]';
}

function isOwnWord({ role }: ChatMessage): boolean {
  return role === 'system' || role === 'developer' || role === 'user';
}

function labelled({ role, text: said }: ChatMessage): string {
  return role === 'user' ? `The user said:\n${said}` : `Instructions from the client:\n${said}`;
}
