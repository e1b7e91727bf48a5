import { piecesOf, startModelServer, type ModelServer, type ModelServerOptions, type ServerTurn, type ServerWire } from './model-server.ts';

export type { ModelServer, ModelServerOptions, ServerTurn };

/** A local server with /v1/messages and /v1/models. */
export function startAnthropicServer(options: ModelServerOptions = {}): Promise<ModelServer> {
  return startModelServer(anthropicWire, options);
}

const anthropicWire: ServerWire = {
  basePath: '',
  answerPath: '/v1/messages',
  keyOf: ({ headers }) => headers['x-api-key'] as string | undefined,
  error: (status, message) => ({
    type: 'error',
    error: { type: status === 529 ? 'overloaded_error' : status === 429 ? 'rate_limit_error' : 'invalid_request_error', message },
  }),
  document: (turn, request, count) => ({
    id: `msg_${count}`,
    type: 'message',
    role: 'assistant',
    model: request.body['model'],
    content: blocksOf(turn, count),
    stop_reason: stopOf(turn),
    stop_sequence: null,
    ...(turn.usage === null ? {} : { usage: usageOf(turn) }),
  }),
  events: (turn, request, count) => {
    const blocks = blocksOf(turn, count);
    const usage = turn.usage === null ? {} : { usage: { ...usageOf(turn), output_tokens: 1 } };
    const message = {
      id: `msg_${count}`,
      type: 'message',
      role: 'assistant',
      model: request.body['model'],
      content: [],
      stop_reason: null,
      stop_sequence: null,
      ...usage,
    };
    const stop = stopOf(turn);
    const events = [
      { type: 'message_start', message },
      { type: 'ping' },
      ...blocks.flatMap((block, index) => blockEvents(block, index)),
      ...(stop === null
        ? []
        : [
            {
              type: 'message_delta',
              delta: { stop_reason: stop, stop_sequence: null },
              ...(turn.usage === null ? {} : { usage: { output_tokens: usageOf(turn).output_tokens } }),
            },
          ]),
      ...(stop === null ? [] : [{ type: 'message_stop' }]),
    ];
    return events.map((event) => [event.type, event] as const);
  },
};

type Block =
  | { readonly type: 'text'; readonly text: string }
  | { readonly type: 'tool_use'; readonly id: string; readonly name: string; readonly input: unknown };

function blocksOf(turn: ServerTurn, count: number): readonly Block[] {
  const text = turn.text ?? (turn.toolCalls === undefined ? 'ok' : undefined);
  return [
    ...(text === undefined ? [] : [{ type: 'text' as const, text }]),
    ...(turn.toolCalls ?? []).map(({ id, name, args }, index) => ({
      type: 'tool_use' as const,
      id: id ?? `toolu_${count}_${index}`,
      name,
      input: args,
    })),
  ];
}

function blockEvents(block: Block, index: number): readonly { readonly type: string }[] {
  const isText = block.type === 'text';
  const json = isText ? '' : typeof block.input === 'string' ? block.input : JSON.stringify(block.input);
  const deltas = isText
    ? piecesOf(block.text).map((text) => ({ type: 'text_delta', text }))
    : piecesOf(json).map((text) => ({ type: 'input_json_delta', partial_json: text }));
  return [
    { type: 'content_block_start', index, content_block: isText ? { type: 'text', text: '' } : { ...block, input: {} } },
    ...deltas.map((delta) => ({ type: 'content_block_delta', index, delta })),
    { type: 'content_block_stop', index },
  ] as readonly { readonly type: string }[];
}

function stopOf(turn: ServerTurn): string | null {
  return turn.finishReason === undefined ? (turn.toolCalls === undefined ? 'end_turn' : 'tool_use') : turn.finishReason;
}

function usageOf(turn: ServerTurn): {
  input_tokens: number;
  output_tokens: number;
  cache_read_input_tokens: number;
  cache_creation_input_tokens: number;
} {
  const { input, output } = turn.usage ?? { input: 11, output: 7 };
  return { input_tokens: input, output_tokens: output, cache_read_input_tokens: 0, cache_creation_input_tokens: 0 };
}
