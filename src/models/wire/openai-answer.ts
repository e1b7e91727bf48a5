import type { ModelAnswer, ModelToolCall, Usage } from '../../contracts/model.ts';
import type { ModelError } from '../../contracts/model-error.ts';
import { badAnswerError, statusError, streamCutError, tooLargeError } from './failures.ts';
import { countOf, listOf, objectOf, textOf, type Loose } from './loose.ts';
import { answerLimits } from './read-answer.ts';
import type { ToolNames } from './tool-names.ts';

interface OpenCall {
  id: string;
  name: string;
  readonly parts: string[];
}

/**
 * Puts one answer together from its parts, or from one whole document: `choices[0]` only, reasoning fields ignored.
 *
 * Tolerates what servers do: no `index` in a tool call (a new id, or a new name without id, begins a new call), a whole call in one part,
 * no id (the client makes one), usage in a part without choices or nowhere, a finish reason of any spelling.
 */
export class OpenAiAnswer {
  readonly #provider: string;
  readonly #names: ToolNames;
  readonly #onText: ((delta: string) => void) | undefined;
  readonly #text: string[] = [];
  readonly #calls = new Map<number, OpenCall>();
  #bytes = 0;
  #finish: string | undefined;
  #hasRefusal = false;
  #usage: Usage | undefined;

  constructor(provider: string, names: ToolNames, onText: ((delta: string) => void) | undefined) {
    this.#provider = provider;
    this.#names = names;
    this.#onText = onText;
  }

  /** @throws ModelError when the part is an error, or none of the wire's documents */
  add(part: Loose): void {
    if (part['error'] !== undefined && part['error'] !== null) throw errorInAnswer(this.#provider, part['error']);
    this.#usage = usageOf(part['usage']) ?? this.#usage;
    const choice = listOf(part['choices'])
      .map(objectOf)
      .find((each) => each !== undefined && (each['index'] ?? 0) === 0);
    if (choice === undefined) return;
    const body = objectOf(choice['delta']) ?? objectOf(choice['message']) ?? {};
    this.#addText(contentText(body['content']));
    const refusal = textOf(body['refusal']) ?? '';
    if (refusal !== '') this.#hasRefusal = true;
    this.#addText(refusal);
    for (const call of listOf(body['tool_calls'])) this.#addCall(objectOf(call) ?? {});
    const legacy = objectOf(body['function_call']);
    if (legacy !== undefined) this.#addCall({ index: 0, function: legacy });
    this.#finish = textOf(choice['finish_reason']) || this.#finish;
  }

  /** @param isClosed whether the server said that it was done (`[DONE]`, or one whole document) */
  finish(isClosed: boolean): ModelAnswer {
    if (this.#finish === undefined && !isClosed) throw streamCutError(this.#provider);
    const toolCalls = [...this.#calls].toSorted(([a], [b]) => a - b).map(([, call]) => this.#finished(call));
    const text = this.#text.join('');
    if (this.#finish === 'error') throw badAnswerError(this.#provider, 'it ended with the finish reason "error"');
    if (this.#finish === undefined && text === '' && toolCalls.length === 0)
      throw badAnswerError(this.#provider, 'it holds neither text nor a tool call nor a finish reason');
    return { text, toolCalls, stop: this.#stop(toolCalls.length > 0), ...(this.#usage === undefined ? {} : { usage: this.#usage }) };
  }

  #addText(delta: string): void {
    if (delta === '') return;
    this.#grow(delta);
    this.#text.push(delta);
    this.#onText?.(delta);
  }

  #addCall(call: Loose): void {
    const body = objectOf(call['function']) ?? {};
    const id = textOf(call['id']) ?? '';
    const name = textOf(body['name']) ?? '';
    const open = this.#callFor(countOf(call['index']), id, name);
    if (open.id === '') open.id = id;
    // Some servers repeat the name in every part, some send it in pieces: only a longer whole or a rest is taken.
    if (open.name === '') open.name = name;
    const args = body['arguments'];
    const text = typeof args === 'string' ? args : objectOf(args) === undefined ? '' : JSON.stringify(args);
    this.#grow(text);
    this.#grow(name);
    open.parts.push(text);
  }

  #callFor(index: number | undefined, id: string, name: string): OpenCall {
    const last = this.#calls.size - 1;
    const lastCall = this.#calls.get(last);
    const isNew = lastCall === undefined || (id !== '' && id !== lastCall.id) || (id === '' && name !== '' && lastCall.name !== '');
    let key = index ?? (isNew ? last + 1 : last);
    const known = this.#calls.get(key);
    // A server that numbers every call 0 but gives each its own id.
    if (known !== undefined && id !== '' && known.id !== '' && id !== known.id)
      key = [...this.#calls].find(([, call]) => call.id === id)?.[0] ?? this.#nextKey();
    const found = this.#calls.get(key);
    if (found !== undefined) return found;
    if (this.#calls.size >= 512) throw badAnswerError(this.#provider, 'it holds more than 512 tool calls');
    const made: OpenCall = { id: '', name: '', parts: [] };
    this.#calls.set(key, made);
    return made;
  }

  #nextKey(): number {
    return Math.max(-1, ...this.#calls.keys()) + 1;
  }

  #finished(call: OpenCall): ModelToolCall {
    const text = call.parts.join('').trim();
    return { id: call.id, name: this.#names.fromWire(call.name), argumentsText: text === '' ? '{}' : text };
  }

  #stop(hasCalls: boolean): ModelAnswer['stop'] {
    if (this.#finish === 'length' || this.#finish === 'max_tokens' || this.#finish === 'model_length') return 'length';
    if (this.#finish === 'content_filter' || this.#finish === 'refusal' || this.#hasRefusal) return 'refusal';
    return hasCalls ? 'tool' : 'end';
  }

  #grow(text: string): void {
    this.#bytes += text.length;
    if (this.#bytes > answerLimits.document) throw tooLargeError(this.#provider, answerLimits.document);
  }
}

function contentText(content: unknown): string {
  if (typeof content === 'string') return content;
  return listOf(content)
    .map((part) => (objectOf(part)?.['type'] === 'text' ? (textOf(objectOf(part)?.['text']) ?? '') : ''))
    .join('');
}

function usageOf(value: unknown): Usage | undefined {
  const usage = objectOf(value);
  const inputTokens = countOf(usage?.['prompt_tokens']);
  if (usage === undefined || inputTokens === undefined) return undefined;
  const cachedInputTokens = countOf(objectOf(usage['prompt_tokens_details'])?.['cached_tokens']);
  return {
    inputTokens,
    outputTokens: countOf(usage['completion_tokens']) ?? 0,
    ...(cachedInputTokens === undefined ? {} : { cachedInputTokens }),
  };
}

/** An error that arrives inside a stream whose status was 200. */
function errorInAnswer(provider: string, value: unknown): ModelError {
  const error = objectOf(value) ?? {};
  const said = textOf(error['message']) ?? textOf(value) ?? JSON.stringify(value).slice(0, 300);
  const kind = [error['type'], error['code']].map((each) => textOf(each) ?? '').join(' ');
  const code = countOf(Number(error['code'] ?? error['status']));
  if (code !== undefined && code >= 400 && code <= 599) return statusError(provider, { status: code, said });
  if (/rate_limit|too_many|quota/.test(kind)) return statusError(provider, { status: 429, said });
  if (/server_error|overloaded|unavailable|internal/.test(kind)) return statusError(provider, { status: 503, said });
  return statusError(provider, { status: 400, said });
}
