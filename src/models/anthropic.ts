import type { ModelAnswer, ModelCallOptions, ModelProvider, ModelRequest } from '../contracts/model.ts';
import { AnthropicAnswer } from './wire/anthropic-answer.ts';
import { anthropicBody } from './wire/anthropic-request.ts';
import type { Connection } from './wire/connection.ts';
import { parseObject, readAll, readEvents } from './wire/read-answer.ts';
import { mapToolNames } from './wire/tool-names.ts';

/** The Messages API of Anthropic, and servers that speak it. Source: https://docs.claude.com/en/api/messages-streaming */
export function createAnthropicProvider(connection: Connection): ModelProvider {
  return {
    name: connection.provider,
    isScripted: false,
    isConfigured: () => connection.isConfigured,
    status: () => connection.status(),
    checkHealth: (signal) => connection.checkHealth(pathOf(connection, 'models'), signal),
    generate: (request, options) => generate(connection, request, options),
  };
}

/** The base URL is the origin by custom, but some write `/v1` as for other providers. */
function pathOf(connection: Connection, path: string): string {
  return /\/v1\/?$/.test(connection.baseUrl.pathname) ? path : `v1/${path}`;
}

async function generate(connection: Connection, request: ModelRequest, options: ModelCallOptions): Promise<ModelAnswer> {
  const names = mapToolNames(request.tools);
  const { provider } = connection;
  const reply = await connection.post(pathOf(connection, 'messages'), JSON.stringify(anthropicBody(request, names)), options.signal);
  const answer = new AnthropicAnswer(provider, names, options.onText);
  if (!reply.isEventStream) {
    answer.addMessage(parseObject(provider, await readAll(provider, reply.chunks)));
    return answer.finish();
  }
  for await (const { data } of readEvents(provider, reply.chunks)) {
    answer.addEvent(parseObject(provider, data));
    if (answer.isStopped) break;
  }
  return answer.finish();
}
