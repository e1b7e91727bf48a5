import assert from 'node:assert/strict';
import { test } from 'node:test';
import OpenAI, { AuthenticationError, RateLimitError } from 'openai';
import { startOpenAiServer } from './openai-server.ts';

const question = { model: 'test-model', messages: [{ role: 'user' as const, content: 'Hello?' }] };

test('the stock OpenAI client streams text, tool calls and usage from the test server', async () => {
  await using server = await startOpenAiServer({
    key: 'sk-test-1234567890',
    turns: [
      { text: 'Hello from the server.' },
      {
        toolCalls: [
          { name: 'fs_read', args: { path: 'a.md' } },
          { name: 'fs_list', args: {} },
        ],
        usage: { input: 3, output: 4 },
      },
    ],
  });
  const client = new OpenAI({ apiKey: 'sk-test-1234567890', baseURL: server.baseUrl, maxRetries: 0 });

  const first = await client.chat.completions.stream(question).finalChatCompletion();
  const second = await client.chat.completions.stream({ ...question, stream_options: { include_usage: true } }).finalChatCompletion();

  assert.equal(first.choices[0]?.message.content, 'Hello from the server.');
  const calls = second.choices[0]?.message.tool_calls?.map((call) =>
    'function' in call ? [call.function.name, call.function.arguments] : [],
  );
  assert.deepEqual(calls, [
    ['fs_read', '{"path":"a.md"}'],
    ['fs_list', '{}'],
  ]);
  assert.equal(second.usage?.total_tokens, 7);
});

test('the stock OpenAI client gets a whole document, the model list and typed errors from the test server', async () => {
  await using server = await startOpenAiServer({
    key: 'right',
    turns: [{ text: 'whole' }, { status: 429, headers: { 'retry-after': '7' } }],
  });
  const client = new OpenAI({ apiKey: 'right', baseURL: server.baseUrl, maxRetries: 0 });
  const stranger = new OpenAI({ apiKey: 'wrong', baseURL: server.baseUrl, maxRetries: 0 });

  const answer = await client.chat.completions.create(question);
  const models = await client.models.list();

  assert.equal(answer.choices[0]?.message.content, 'whole');
  assert.equal(models.data[0]?.id, 'test-model');
  await assert.rejects(client.chat.completions.create(question), RateLimitError);
  await assert.rejects(stranger.chat.completions.create(question), AuthenticationError);
});
