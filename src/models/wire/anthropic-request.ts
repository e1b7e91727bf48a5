import { sha256 } from '../../contracts/json.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { Message, ModelRequest } from '../../contracts/model.ts';
import { argumentsObject } from './loose.ts';
import { modelName } from './openai-request.ts';
import type { ToolNames } from './tool-names.ts';

interface WireMessage {
  readonly role: 'user' | 'assistant';
  readonly content: JsonObject[];
}

/**
 * The body of POST /v1/messages. Consecutive tool messages become one user message of `tool_result` blocks, as this
 * wire demands, and a user's text after them joins it. Source: https://docs.claude.com/en/api/messages
 */
export function anthropicBody(request: ModelRequest, names: ToolNames): JsonObject {
  const messages: WireMessage[] = [];
  for (const message of request.messages) {
    const role = message.role === 'assistant' ? 'assistant' : 'user';
    const blocks = blocksOf(message, names);
    const last = messages.at(-1);
    if (last?.role === role) last.content.push(...blocks);
    else if (blocks.length > 0) messages.push({ role, content: [...blocks] });
  }
  return {
    model: modelName(request.model),
    max_tokens: request.maxOutputTokens,
    ...(request.system === '' ? {} : { system: request.system }),
    messages: messages as unknown as JsonValue,
    ...(request.tools.length === 0
      ? {}
      : {
          tools: request.tools.map((tool) => ({
            name: names.toWire(tool.name),
            description: tool.description,
            input_schema: tool.parameters,
          })),
        }),
    ...(request.temperature === undefined ? {} : { temperature: request.temperature }),
    stream: true,
  };
}

/** Empty text blocks are refused by the wire. */
function blocksOf(message: Message, names: ToolNames): readonly JsonObject[] {
  if (message.role === 'tool') {
    return [
      {
        type: 'tool_result',
        tool_use_id: wireCallId(message.callId),
        content: message.text === '' ? '(empty)' : message.text,
        ...(message.isError ? { is_error: true } : {}),
      },
    ];
  }
  const text =
    message.text.trim() === '' ? [] : [{ type: 'text', text: message.role === 'assistant' ? message.text.trimEnd() : message.text }];
  if (message.role === 'user') return text.length === 0 ? [{ type: 'text', text: '(empty)' }] : text;
  return [
    ...text,
    ...message.toolCalls.map((call) => ({
      type: 'tool_use',
      id: wireCallId(call.id),
      name: names.toWire(call.name),
      input: argumentsObject(call.argumentsText) as JsonObject,
    })),
  ];
}

function wireCallId(id: string): string {
  return /^[a-zA-Z0-9_-]+$/.test(id) ? id : `call_${sha256(id).slice(0, 24)}`;
}
