import type { ModelAnswer, ModelToolCall, Usage } from '../../contracts/model.ts';
import { badAnswerError, statusError, streamCutError, tooLargeError } from './failures.ts';
import { countOf, listOf, objectOf, textOf, type Loose } from './loose.ts';
import { answerLimits } from './read-answer.ts';
import type { ToolNames } from './tool-names.ts';

interface OpenCall {
  readonly id: string;
  readonly name: string;
  readonly parts: string[];
  /** Given at once with the block's start, instead of in parts. */
  readonly input: Loose | undefined;
}

/** This wire's names for what the standard statuses say. Source: https://docs.claude.com/en/api/errors */
const statusOfError: Readonly<Record<string, number>> = {
  rate_limit_error: 429,
  overloaded_error: 503,
  api_error: 500,
  timeout_error: 504,
  authentication_error: 401,
  permission_error: 403,
  not_found_error: 404,
};

/** Puts one answer together from the events of a stream, or from one whole message. Thinking blocks are ignored. */
export class AnthropicAnswer {
  readonly #provider: string;
  readonly #names: ToolNames;
  readonly #onText: ((delta: string) => void) | undefined;
  readonly #text: string[] = [];
  readonly #calls = new Map<number, OpenCall>();
  readonly #counts = { input: undefined as number | undefined, cacheRead: 0, cacheWrite: 0, output: 0 };
  #bytes = 0;
  #stopReason: string | undefined;
  #isStopped = false;

  constructor(provider: string, names: ToolNames, onText: ((delta: string) => void) | undefined) {
    this.#provider = provider;
    this.#names = names;
    this.#onText = onText;
  }

  get isStopped(): boolean {
    return this.#isStopped;
  }

  /** @throws ModelError for an error event */
  addEvent(event: Loose): void {
    const type = textOf(event['type']);
    const index = countOf(event['index']) ?? 0;
    if (type === 'error') throw this.#errorOf(event);
    if (type === 'message_start') this.#addUsage(objectOf(objectOf(event['message'])?.['usage']));
    if (type === 'content_block_start') this.#startBlock(index, objectOf(event['content_block']) ?? {});
    if (type === 'content_block_delta') this.#addDelta(index, objectOf(event['delta']) ?? {});
    if (type === 'message_delta') {
      this.#stopReason = textOf(objectOf(event['delta'])?.['stop_reason']) ?? this.#stopReason;
      this.#addUsage(objectOf(event['usage']));
    }
    if (type === 'message_stop') this.#isStopped = true;
  }

  /** A server that ignored `stream`. */
  addMessage(message: Loose): void {
    if (message['type'] === 'error' || message['error'] !== undefined) throw this.#errorOf(message);
    if (!Array.isArray(message['content'])) throw badAnswerError(this.#provider, 'JSON, but no message');
    listOf(message['content']).forEach((block, index) => this.#startBlock(index, objectOf(block) ?? {}));
    this.#stopReason = textOf(message['stop_reason']) ?? 'end_turn';
    this.#addUsage(objectOf(message['usage']));
    this.#isStopped = true;
  }

  finish(): ModelAnswer {
    if (this.#stopReason === undefined) throw streamCutError(this.#provider);
    const toolCalls = [...this.#calls].toSorted(([a], [b]) => a - b).map(([, call]) => this.#finished(call));
    const usage = this.#usage();
    return { text: this.#text.join(''), toolCalls, stop: this.#stop(toolCalls.length > 0), ...(usage === undefined ? {} : { usage }) };
  }

  #startBlock(index: number, block: Loose): void {
    if (block['type'] === 'text') this.#addText(textOf(block['text']) ?? '');
    if (block['type'] !== 'tool_use') return;
    if (this.#calls.size >= 512) throw badAnswerError(this.#provider, 'it holds more than 512 tool calls');
    const input = objectOf(block['input']);
    const isGiven = input !== undefined && Object.keys(input).length > 0;
    if (isGiven) this.#grow(JSON.stringify(input));
    this.#calls.set(index, {
      id: textOf(block['id']) ?? '',
      name: textOf(block['name']) ?? '',
      parts: [],
      input: isGiven ? input : undefined,
    });
  }

  #addDelta(index: number, delta: Loose): void {
    if (delta['type'] === 'text_delta') this.#addText(textOf(delta['text']) ?? '');
    if (delta['type'] !== 'input_json_delta') return;
    const part = textOf(delta['partial_json']) ?? '';
    this.#grow(part);
    this.#calls.get(index)?.parts.push(part);
  }

  #addText(delta: string): void {
    if (delta === '') return;
    this.#grow(delta);
    this.#text.push(delta);
    this.#onText?.(delta);
  }

  /** Later counts replace earlier ones: the wire sends totals. */
  #addUsage(usage: Loose | undefined): void {
    const counts = this.#counts;
    counts.input = countOf(usage?.['input_tokens']) ?? counts.input;
    counts.output = countOf(usage?.['output_tokens']) ?? counts.output;
    counts.cacheRead = countOf(usage?.['cache_read_input_tokens']) ?? counts.cacheRead;
    counts.cacheWrite = countOf(usage?.['cache_creation_input_tokens']) ?? counts.cacheWrite;
  }

  /** This wire counts cached tokens apart; ours are part of the input. */
  #usage(): Usage | undefined {
    const { input, cacheRead, cacheWrite, output } = this.#counts;
    if (input === undefined) return undefined;
    return {
      inputTokens: input + cacheRead + cacheWrite,
      outputTokens: output,
      ...(cacheRead > 0 ? { cachedInputTokens: cacheRead } : {}),
    };
  }

  #finished(call: OpenCall): ModelToolCall {
    const streamed = call.parts.join('').trim();
    return {
      id: call.id,
      name: this.#names.fromWire(call.name),
      argumentsText: streamed !== '' ? streamed : JSON.stringify(call.input ?? {}),
    };
  }

  #stop(hasCalls: boolean): ModelAnswer['stop'] {
    if (this.#stopReason === 'max_tokens' || this.#stopReason === 'model_context_window_exceeded') return 'length';
    if (this.#stopReason === 'refusal') return 'refusal';
    return hasCalls ? 'tool' : 'end';
  }

  #errorOf(event: Loose): Error {
    const error = objectOf(event['error']) ?? {};
    const type = textOf(error['type']) ?? '';
    return statusError(this.#provider, {
      status: statusOfError[type] ?? 400,
      said: `${type} ${(textOf(error['message']) ?? '').slice(0, 300)}`.trim(),
    });
  }

  #grow(text: string): void {
    this.#bytes += text.length;
    if (this.#bytes > answerLimits.document) throw tooLargeError(this.#provider, answerLimits.document);
  }
}
