import type { ModelAnswer, ModelCallOptions, ModelProvider, ModelRequest } from '../contracts/model.ts';
import type { Connection } from './wire/connection.ts';
import { OpenAiAnswer } from './wire/openai-answer.ts';
import { dialectOf, openAiBody } from './wire/openai-request.ts';
import { parseObject, readAll, readEvents } from './wire/read-answer.ts';
import { mapToolNames } from './wire/tool-names.ts';

/**
 * Any server with /chat/completions: OpenAI, Mistral, Moonshot, Ollama, llama.cpp, vLLM and the rest.
 * Source: https://platform.openai.com/docs/api-reference/chat
 */
export function createOpenAiProvider(connection: Connection): ModelProvider {
  return {
    name: connection.provider,
    isScripted: false,
    isConfigured: () => connection.isConfigured,
    status: () => connection.status(),
    checkHealth: (signal) => connection.checkHealth('models', signal),
    generate: (request, options) => generate(connection, request, options),
  };
}

async function generate(connection: Connection, request: ModelRequest, options: ModelCallOptions): Promise<ModelAnswer> {
  const names = mapToolNames(request.tools);
  const { provider } = connection;
  const body = openAiBody(request, names, dialectOf(connection.baseUrl));
  const reply = await connection.post('chat/completions', JSON.stringify(body), options.signal);
  const answer = new OpenAiAnswer(provider, names, options.onText);
  if (!reply.isEventStream) {
    answer.add(parseObject(provider, await readAll(provider, reply.chunks)));
    return answer.finish(true);
  }
  let isClosed = false;
  for await (const { data } of readEvents(provider, reply.chunks)) {
    if (data.trim() === '[DONE]') {
      isClosed = true;
      break;
    }
    answer.add(parseObject(provider, data));
  }
  return answer.finish(isClosed);
}
