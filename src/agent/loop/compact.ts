import { sha256 } from '../../contracts/json.ts';
import type { Message, ModelRequest } from '../../contracts/model.ts';

/** Characters a token stands for, on average, in English and code: the common rule of thumb. */
const charactersPerToken = 4;
/** The conversation is compacted when it would fill more than this share of the window, down to the lower share. */
const highWater = 0.9;
const lowWater = 0.6;

export interface Compacted {
  readonly messages: readonly Message[];
  /** Call ids of the tool results that were elided now, oldest first; empty when nothing had to go. */
  readonly elided: readonly string[];
  readonly estimatedTokens: number;
  /** False when even the shortest form is larger than the window. */
  readonly fits: boolean;
}

export function estimateTokens(request: Pick<ModelRequest, 'system' | 'messages' | 'tools'>): number {
  const tools = request.tools.reduce(
    (sum, tool) => sum + tool.name.length + tool.description.length + JSON.stringify(tool.parameters).length,
    0,
  );
  return Math.ceil(
    (request.system.length + tools + request.messages.reduce((sum, message) => sum + sizeOf(message), 0)) / charactersPerToken,
  );
}

/**
 * Makes room when a conversation outgrows the model's window: the texts of the oldest tool results, never those of the
 * last turn, are replaced by a line with their size and hash, until the estimate is below 60 % of the window.
 *
 * Contract: pure and deterministic, so that a replay compacts at the same place; no message disappears, so that calls
 * and results keep their pairs.
 */
export function compactMessages(
  request: Pick<ModelRequest, 'system' | 'messages' | 'tools' | 'maxOutputTokens'>,
  contextTokens: number,
): Compacted {
  const room = contextTokens - Math.min(request.maxOutputTokens, Math.floor(contextTokens / 4));
  let estimated = estimateTokens(request);
  if (estimated <= room * highWater) return { messages: request.messages, elided: [], estimatedTokens: estimated, fits: true };
  const messages = [...request.messages];
  const lastTurn = messages.findLastIndex((message) => message.role === 'assistant');
  const elided: string[] = [];
  for (const [index, message] of messages.entries()) {
    if (index >= lastTurn || estimated <= room * lowWater) break;
    if (message.role !== 'tool' || message.text.startsWith('[elided:')) continue;
    const text = `[elided: ${message.text.length} characters of ${message.name}, sha256 ${sha256(message.text).slice(0, 16)}; call the tool again if you need them]`;
    if (text.length >= message.text.length) continue;
    messages[index] = { ...message, text };
    estimated -= Math.floor((message.text.length - text.length) / charactersPerToken);
    elided.push(message.callId);
  }
  return { messages, elided, estimatedTokens: estimated, fits: estimated <= room };
}

function sizeOf(message: Message): number {
  if (message.role !== 'assistant') return message.text.length;
  return message.text.length + message.toolCalls.reduce((sum, call) => sum + call.name.length + call.argumentsText.length, 0);
}
