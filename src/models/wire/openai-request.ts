import { sha256 } from '../../contracts/json.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { Message, ModelRequest } from '../../contracts/model.ts';
import { argumentsObject } from './loose.ts';
import type { ToolNames } from './tool-names.ts';

/** Where servers of the OpenAI wire differ. */
export interface OpenAiDialect {
  readonly maxTokensField: 'max_tokens' | 'max_completion_tokens';
  /** Whether `stream_options.include_usage` may be sent: Mistral refuses unknown fields and sends usage anyway. */
  readonly takesStreamOptions: boolean;
  /** Mistral takes ids of exactly nine letters and digits only. */
  readonly hasShortCallIds: boolean;
}

/** OpenAI's own reasoning models refuse `max_tokens`; most other servers know nothing else. */
export function dialectOf(url: URL): OpenAiDialect {
  const isMistral = url.hostname.endsWith('.mistral.ai');
  return {
    maxTokensField: url.hostname.endsWith('.openai.com') ? 'max_completion_tokens' : 'max_tokens',
    takesStreamOptions: !isMistral,
    hasShortCallIds: isMistral,
  };
}

/** The body of POST /chat/completions. Source: https://platform.openai.com/docs/api-reference/chat/create */
export function openAiBody(request: ModelRequest, names: ToolNames, dialect: OpenAiDialect): JsonObject {
  return {
    model: modelName(request.model),
    messages: [
      ...(request.system === '' ? [] : [{ role: 'system', content: request.system }]),
      ...request.messages.map((message) => wireMessage(message, names, dialect)),
    ],
    ...(request.tools.length === 0
      ? {}
      : {
          tools: request.tools.map((tool) => ({
            type: 'function',
            function: { name: names.toWire(tool.name), description: tool.description, parameters: tool.parameters },
          })),
        }),
    [dialect.maxTokensField]: request.maxOutputTokens,
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    stream: true,
    ...(dialect.takesStreamOptions ? { stream_options: { include_usage: true } } : {}),
  };
}

/** `openai/gpt-4o-mini` → `gpt-4o-mini`; a name may hold more slashes. */
export function modelName(ref: string): string {
  return ref.slice(ref.indexOf('/') + 1);
}

function wireMessage(message: Message, names: ToolNames, dialect: OpenAiDialect): JsonObject {
  if (message.role === 'user') return { role: 'user', content: message.text };
  if (message.role === 'tool') return { role: 'tool', tool_call_id: wireCallId(message.callId, dialect), content: message.text };
  if (message.toolCalls.length === 0) return { role: 'assistant', content: message.text };
  return {
    role: 'assistant',
    content: message.text === '' ? null : message.text,
    tool_calls: message.toolCalls.map((call) => ({
      id: wireCallId(call.id, dialect),
      type: 'function',
      function: { name: names.toWire(call.name), arguments: JSON.stringify(argumentsObject(call.argumentsText)) },
    })),
  };
}

function wireCallId(id: string, dialect: OpenAiDialect): string {
  if (!dialect.hasShortCallIds || /^[a-zA-Z0-9]{9}$/.test(id)) return id;
  return sha256(id).slice(0, 9);
}
