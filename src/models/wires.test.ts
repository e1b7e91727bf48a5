import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ModelAnswer, ModelRequest, ToolSpec } from '../contracts/model.ts';
import { ModelError } from '../contracts/model-error.ts';
import { startAnthropicServer } from '../../test/servers/anthropic-server.ts';
import type { ModelServer, ServerTurn } from '../../test/servers/model-server.ts';
import { startOpenAiServer } from '../../test/servers/openai-server.ts';
import { openModel } from './open-model.ts';
import { openAiBody, dialectOf } from './wire/openai-request.ts';
import { mapToolNames } from './wire/tool-names.ts';

const tools: readonly ToolSpec[] = ['fs.read', 'fs.list', 'fs_list'].map((name) => ({
  name,
  description: `Does ${name}.`,
  parameters: { type: 'object' },
}));
const signal = new AbortController().signal;

const history: ModelRequest['messages'] = [
  { role: 'user', text: 'Look around.' },
  {
    role: 'assistant',
    text: 'I look.',
    toolCalls: [
      { id: 'c1', name: 'fs.read', argumentsText: '{"path":"a.md"}' },
      { id: 'c2', name: 'fs.list', argumentsText: '{"path": not json' },
      { id: 'c3', name: 'shell.exec', argumentsText: '' },
    ],
  },
  { role: 'tool', callId: 'c1', name: 'fs.read', text: 'A', isError: false },
  { role: 'tool', callId: 'c2', name: 'fs.list', text: 'no such folder', isError: true },
  { role: 'tool', callId: 'c3', name: 'shell.exec', text: '', isError: true },
  { role: 'user', text: 'Go on.' },
];

function request(model: string, messages: ModelRequest['messages'] = [{ role: 'user', text: 'Go.' }]): ModelRequest {
  return { model, system: 'Be brief.', messages, tools, maxOutputTokens: 100, temperature: 0 };
}

async function answerOf(
  wire: 'openai' | 'anthropic',
  turn: ServerTurn,
  messages?: ModelRequest['messages'],
): Promise<{ answer: ModelAnswer; shown: string; server: ModelServer }> {
  await using server = await (wire === 'openai' ? startOpenAiServer({ turns: [turn] }) : startAnthropicServer({ turns: [turn] }));
  const llm = { version: 1 as const, providers: { box: { wire, baseUrl: server.baseUrl } } };
  const client = await openModel({ ref: 'box/m', llm, env: {}, homeDir: '/nowhere', retry: { attempts: 1 } });
  const shown: string[] = [];
  const { answer } = await client.call(request('box/m', messages), { signal, onText: (delta) => shown.push(delta) });
  return { answer, shown: shown.join(''), server };
}

for (const wire of ['openai', 'anthropic'] as const) {
  for (const ignoresStream of [false, true]) {
    test(`${wire}: text and several tool calls of one turn arrive whole (${ignoresStream ? 'one document' : 'streamed'})`, async () => {
      const turn: ServerTurn = {
        text: 'I read both: ä, 漢, 🙂.',
        toolCalls: [
          { id: 'a1', name: 'fs_read', args: { path: 'ä/漢.md' } },
          { id: 'a2', name: 'fs_list', args: {} },
        ],
        ignoresStream,
      };

      const { answer, shown } = await answerOf(wire, turn);

      assert.deepEqual(answer, {
        text: 'I read both: ä, 漢, 🙂.',
        toolCalls: [
          { id: 'a1', name: 'fs.read', argumentsText: '{"path":"ä/漢.md"}' },
          { id: 'a2', name: 'fs.list', argumentsText: '{}' },
        ],
        stop: 'tool',
        usage: { inputTokens: 11, outputTokens: 7 },
      });
      assert.equal(shown, answer.text);
    });
  }

  test(`${wire}: an unknown tool keeps the name that the model wrote`, async () => {
    const { answer } = await answerOf(wire, { toolCalls: [{ name: 'rm_rf', args: { path: '/' } }] });

    assert.equal(answer.toolCalls[0]?.name, 'rm_rf');
  });

  test(`${wire}: broken arguments are handed on as they are`, async () => {
    const { answer } = await answerOf(wire, { toolCalls: [{ name: 'fs_read', args: '{"path": ' }] });

    assert.equal(answer.toolCalls[0]?.argumentsText, '{"path":');
  });

  test(`${wire}: a provider that does not say its usage has none`, async () => {
    const { answer } = await answerOf(wire, { text: 'x', usage: null });

    assert.ok(!('usage' in answer));
  });
}

const finishes: readonly (readonly [wire: 'openai' | 'anthropic', reason: string, stop: ModelAnswer['stop']])[] = [
  ['openai', 'stop', 'end'],
  ['openai', 'length', 'length'],
  ['openai', 'model_length', 'length'],
  ['openai', 'content_filter', 'refusal'],
  ['openai', 'eos', 'end'],
  ['anthropic', 'end_turn', 'end'],
  ['anthropic', 'max_tokens', 'length'],
  ['anthropic', 'refusal', 'refusal'],
  ['anthropic', 'stop_sequence', 'end'],
];
for (const [wire, finishReason, stop] of finishes) {
  test(`${wire}: the finish reason ${finishReason} means ${stop}`, async () => {
    assert.equal((await answerOf(wire, { text: 'x', finishReason })).answer.stop, stop);
  });
}

test('openai: calls with the finish reason "stop" are calls', async () => {
  const { answer } = await answerOf('openai', { toolCalls: [{ name: 'fs_read', args: {} }], finishReason: 'stop' });

  assert.equal(answer.stop, 'tool');
});

test('openai: [DONE] without a finish reason is an end, a stream without both is cut', async () => {
  const { answer } = await answerOf('openai', { text: 'whole', finishReason: null });

  assert.equal(answer.text, 'whole');
  await assert.rejects(answerOf('openai', { events: [{ choices: [{ index: 0, delta: { content: 'half' } }] }] }), {
    code: 'models.stream-cut',
  });
});

/** One delta of tool calls a part, as different servers send them. */
function parts(...deltas: readonly unknown[]): ServerTurn {
  return {
    events: [
      ...deltas.map((call) => ({ choices: [{ index: 0, delta: { tool_calls: [call] } }] })),
      { choices: [{ index: 0, delta: {}, finish_reason: 'tool_calls' }] },
      '[DONE]',
    ],
  };
}

const shapes: readonly (readonly [
  name: string,
  turn: ServerTurn,
  calls: readonly (readonly [id: string, name: string, args: string])[],
])[] = [
  [
    'parts of two calls that alternate',
    parts(
      { index: 0, id: 'a', function: { name: 'fs_read', arguments: '{"a"' } },
      { index: 1, id: 'b', function: { name: 'fs_list', arguments: '{"b"' } },
      { index: 0, function: { arguments: ':1}' } },
      { index: 1, function: { arguments: ':2}' } },
    ),
    [
      ['a', 'fs.read', '{"a":1}'],
      ['b', 'fs.list', '{"b":2}'],
    ],
  ],
  [
    'whole calls without an index',
    parts({ id: 'a', function: { name: 'fs_read', arguments: '{}' } }, { id: 'b', function: { name: 'fs_read', arguments: '{}' } }),
    [
      ['a', 'fs.read', '{}'],
      ['b', 'fs.read', '{}'],
    ],
  ],
  [
    'parts without an index',
    parts(
      { id: 'a', function: { name: 'fs_read', arguments: '{"a"' } },
      { function: { arguments: ':1}' } },
      { id: 'b', function: { name: 'fs_list' } },
      { function: { arguments: '{}' } },
    ),
    [
      ['a', 'fs.read', '{"a":1}'],
      ['b', 'fs.list', '{}'],
    ],
  ],
  [
    'calls that are all numbered 0',
    parts(
      { index: 0, id: 'a', function: { name: 'fs_read', arguments: '{}' } },
      { index: 0, id: 'b', function: { name: 'fs_list', arguments: '{}' } },
    ),
    [
      ['a', 'fs.read', '{}'],
      ['b', 'fs.list', '{}'],
    ],
  ],
  [
    'neither id nor index',
    parts({ function: { name: 'fs_read', arguments: '{}' } }, { function: { name: 'fs_list', arguments: '{}' } }),
    [
      ['call_1_1', 'fs.read', '{}'],
      ['call_1_2', 'fs.list', '{}'],
    ],
  ],
  [
    'the id and name repeated in every part',
    parts(
      { index: 0, id: 'a', function: { name: 'fs_read', arguments: '{"a"' } },
      { index: 0, id: 'a', function: { name: 'fs_read', arguments: ':1}' } },
    ),
    [['a', 'fs.read', '{"a":1}']],
  ],
  [
    'arguments as an object',
    parts({ index: 0, id: 'a', function: { name: 'fs_read', arguments: { path: 'x' } } }),
    [['a', 'fs.read', '{"path":"x"}']],
  ],
  ['no arguments at all', parts({ index: 0, id: 'a', function: { name: 'fs_read' } }), [['a', 'fs.read', '{}']]],
  ['the dotted name', parts({ index: 0, id: 'a', function: { name: 'fs.read', arguments: '{}' } }), [['a', 'fs.read', '{}']]],
  [
    'the old function_call',
    { events: [{ choices: [{ delta: { function_call: { name: 'fs_read', arguments: '{}' } }, finish_reason: 'function_call' }] }] },
    [['call_1_1', 'fs.read', '{}']],
  ],
];
for (const [name, turn, calls] of shapes) {
  test(`openai: tool calls are put together from ${name}`, async () => {
    const { answer } = await answerOf('openai', turn);

    assert.deepEqual(
      answer.toolCalls.map((call) => [call.id, call.name, call.argumentsText]),
      calls,
    );
    assert.equal(answer.stop, 'tool');
  });
}

test('openai: reasoning is not text, parts of content are', async () => {
  const delta = (each: unknown): unknown => ({ choices: [{ index: 0, delta: each }] });
  const { answer } = await answerOf('openai', {
    events: [
      delta({ reasoning_content: 'hmm' }),
      delta({
        reasoning: 'hm',
        content: [
          { type: 'thinking', thinking: 'hm' },
          { type: 'text', text: 'Yes' },
        ],
      }),
      delta({ content: '.' }),
      { choices: [{ index: 1, delta: { content: 'another choice' } }] },
      { choices: [{ index: 0, delta: {}, finish_reason: 'stop' }] },
    ],
  });

  assert.equal(answer.text, 'Yes.');
});

test('openai: the body has dotted names made plain, arguments made JSON, and what the server’s dialect needs', async () => {
  const { server } = await answerOf('openai', { text: 'x' }, history);
  const body = server.requests[0]?.body as {
    messages: { role: string; tool_calls?: { function: { name: string; arguments: string } }[] }[];
    tools: { function: { name: string } }[];
  };

  assert.deepEqual(
    body.messages.map(({ role }) => role),
    ['system', 'user', 'assistant', 'tool', 'tool', 'tool', 'user'],
  );
  assert.deepEqual(
    body.messages[2]?.tool_calls?.map((call) => [call.function.name, call.function.arguments]),
    [
      ['fs_read', '{"path":"a.md"}'],
      ['fs_list', '{"invalid_arguments":"{\\"path\\": not json"}'],
      ['shell_exec', '{}'],
    ],
  );
  assert.deepEqual(
    body.tools.map((tool) => tool.function.name),
    ['fs_read', 'fs_list', 'fs_list_2'],
  );
});

test('openai: OpenAI gets max_completion_tokens, Mistral no stream options and ids of nine letters', () => {
  const names = mapToolNames(tools);
  const openAi = openAiBody(request('openai/x', history), names, dialectOf(new URL('https://api.openai.com/v1')));
  const mistral = openAiBody(request('mistral/x', history), names, dialectOf(new URL('https://api.mistral.ai/v1')));

  assert.equal(openAi['max_completion_tokens'], 100);
  assert.equal(mistral['max_tokens'], 100);
  assert.equal(mistral['stream_options'], undefined);
  const ids = (mistral['messages'] as { tool_call_id?: string; tool_calls?: { id: string }[] }[]).flatMap((message) => [
    ...(message.tool_calls ?? []).map(({ id }) => id),
    ...(message.tool_call_id === undefined ? [] : [message.tool_call_id]),
  ]);
  assert.ok(ids.every((id) => /^[a-zA-Z0-9]{9}$/.test(id)));
  assert.deepEqual(ids.slice(0, 3), ids.slice(3));
});

test('anthropic: results of one turn and the user’s next words are one message', async () => {
  const { server } = await answerOf('anthropic', { text: 'x' }, history);
  const body = server.requests[0]?.body as {
    system: string;
    messages: { role: string; content: { type: string; is_error?: boolean; input?: unknown }[] }[];
  };

  assert.equal(body.system, 'Be brief.');
  assert.deepEqual(
    body.messages.map(({ role }) => role),
    ['user', 'assistant', 'user'],
  );
  assert.deepEqual(
    body.messages[1]?.content.map(({ type }) => type),
    ['text', 'tool_use', 'tool_use', 'tool_use'],
  );
  assert.deepEqual(
    body.messages[2]?.content.map(({ type, is_error: isError }) => [type, isError ?? false]),
    [
      ['tool_result', false],
      ['tool_result', true],
      ['tool_result', true],
      ['text', false],
    ],
  );
});

test('anthropic: cached tokens are part of the input', async () => {
  const { answer } = await answerOf('anthropic', {
    events: [
      {
        type: 'message_start',
        message: { usage: { input_tokens: 5, cache_read_input_tokens: 100, cache_creation_input_tokens: 20, output_tokens: 1 } },
      },
      { type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } },
      { type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking: 'hmm' } },
      { type: 'content_block_start', index: 1, content_block: { type: 'text', text: '' } },
      { type: 'content_block_delta', index: 1, delta: { type: 'text_delta', text: 'Yes.' } },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 9 } },
      { type: 'message_stop' },
    ],
  });

  assert.deepEqual(answer, {
    text: 'Yes.',
    toolCalls: [],
    stop: 'end',
    usage: { inputTokens: 125, outputTokens: 9, cachedInputTokens: 100 },
  });
});

test('health is asked without tokens, and a failure of it is an answer', async () => {
  const { createOpenAiProvider } = await import('./openai.ts');
  const { openConnection } = await import('./wire/connection.ts');
  // not-a-secret: made up for this test
  const server = await startOpenAiServer({ key: 'sk-planted-0123456789abcdef' });
  const provider = createOpenAiProvider(
    openConnection({
      provider: 'box',
      baseUrl: new URL(server.baseUrl),
      // not-a-secret: made up for this test
      key: 'sk-planted-0123456789abcdef',
      keyEnv: 'BOX_KEY',
      isConfigured: true,
      // not-a-secret: made up for this test
      headers: { authorization: 'Bearer sk-planted-0123456789abcdef' },
      env: {},
    }),
  );

  const up = await provider.checkHealth(signal);
  await server.close();
  const down = await provider.checkHealth(signal);

  assert.deepEqual([up.isHealthy, down.isHealthy, server.requests.length], [true, false, 0]);
  assert.deepEqual(provider.status(), { name: 'box', isScripted: false, isConfigured: true, baseUrl: server.baseUrl, key: 'sk-…cdef' });
  await assert.rejects(
    provider.generate(request('box/m'), { signal }),
    (thrown) => thrown instanceof ModelError && !thrown.message.includes('planted'),
  );
});
