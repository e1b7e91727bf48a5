import {
  piecesOf,
  startModelServer,
  type ModelServer,
  type ModelServerOptions,
  type RecordedRequest,
  type ServerTurn,
  type ServerWire,
} from './model-server.ts';

export type { ModelServer, ModelServerOptions, RecordedRequest, ServerTurn };

/** A local server with /v1/chat/completions and /v1/models: what OpenAI, Mistral, Ollama, llama.cpp and vLLM speak. */
export function startOpenAiServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  return startModelServer(openAiWire, options);
}

const openAiWire: ServerWire = {
  basePath: '/v1',
  answerPath: '/chat/completions',
  keyOf: ({ headers }) => /^Bearer (.+)$/.exec(String(headers['authorization'] ?? ''))?.[1],
  error: (status, message) => ({
    error: { message, type: status === 429 ? 'rate_limit_error' : 'invalid_request_error', code: null, param: null },
  }),
  document: (turn, request, count) => ({
    ...frame(request, count),
    object: 'chat.completion',
    choices: [
      {
        index: 0,
        finish_reason: finishOf(turn),
        logprobs: null,
        message: {
          role: 'assistant',
          refusal: null,
          content: textOf(turn),
          ...(turn.toolCalls === undefined
            ? {}
            : { tool_calls: callsOf(turn, count).map(({ id, type, function: called }) => ({ id, type, function: called })) }),
        },
      },
    ],
    ...(turn.usage === null ? {} : { usage: usageOf(turn) }),
  }),
  events: (turn, request, count) => {
    const part = (delta: object, finish: string | null = null): unknown => ({
      ...frame(request, count),
      object: 'chat.completion.chunk',
      choices: [{ index: 0, delta, finish_reason: finish }],
    });
    const finish = finishOf(turn);
    const callParts = (call: WireCall): readonly unknown[] => [
      part({ tool_calls: [Object.assign({}, call, { function: { name: call.function.name, arguments: '' } })] }),
      ...piecesOf(call.function.arguments).map((text) => part({ tool_calls: [{ index: call.index, function: { arguments: text } }] })),
    ];
    const saysUsage = turn.usage !== null && asksForUsage(request);
    return [
      part({ role: 'assistant', content: '' }),
      ...piecesOf(textOf(turn) ?? '').map((content) => part({ content })),
      ...callsOf(turn, count).flatMap(callParts),
      ...(finish === null ? [] : [part({}, finish)]),
      ...(saysUsage ? [{ ...frame(request, count), object: 'chat.completion.chunk', choices: [], usage: usageOf(turn) }] : []),
      '[DONE]',
    ].map((data) => ['', data] as const);
  },
};

function asksForUsage(request: RecordedRequest): boolean {
  return (request.body['stream_options'] as { include_usage?: boolean } | undefined)?.include_usage === true;
}

function frame(request: RecordedRequest, count: number): object {
  return { id: `chatcmpl-${count}`, created: 1_700_000_000, model: request.body['model'] };
}

function textOf(turn: ServerTurn): string | null {
  return turn.text ?? (turn.toolCalls === undefined ? 'ok' : null);
}

function finishOf(turn: ServerTurn): string | null {
  return turn.finishReason === undefined ? (turn.toolCalls === undefined ? 'stop' : 'tool_calls') : turn.finishReason;
}

interface WireCall {
  readonly index: number;
  readonly id: string;
  readonly type: 'function';
  readonly function: { readonly name: string; readonly arguments: string };
}

function callsOf(turn: ServerTurn, count: number): readonly WireCall[] {
  return (turn.toolCalls ?? []).map(({ id, name, args }, index) => ({
    index,
    id: id ?? `call_${count}_${index}`,
    type: 'function',
    function: { name, arguments: typeof args === 'string' ? args : JSON.stringify(args) },
  }));
}

function usageOf(turn: ServerTurn): object {
  const { input, output } = turn.usage ?? { input: 11, output: 7 };
  return { prompt_tokens: input, completion_tokens: output, total_tokens: input + output };
}
