import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startAnthropicServer } from '../servers/anthropic-server.ts';
import { startOpenAiServer, type ServerTurn } from '../servers/openai-server.ts';
import { journalOf, messagesOf, newInstallation } from './installation.ts';

const fine: ServerTurn = { text: 'all is well' };

/** What the provider does, and what a person sees of it. */
const table: readonly (readonly [
  name: string,
  turns: readonly ServerTurn[],
  expected: { readonly code: number; readonly state: string; readonly requests: number },
])[] = [
  [
    'answers 429 with Retry-After, then well',
    [{ status: 429, headers: { 'retry-after': '1' } }, fine],
    { code: 0, state: 'done', requests: 2 },
  ],
  [
    'asks for more patience than there is',
    [{ status: 429, headers: { 'retry-after': '3600' } }],
    { code: 1, state: 'failed', requests: 1 },
  ],
  ['answers 500, then well', [{ status: 500 }, fine], { code: 0, state: 'done', requests: 2 }],
  [
    'breaks the stream in the middle, then answers well',
    [{ text: 'this will break off', cut: 'mid-stream' }, fine],
    { code: 0, state: 'done', requests: 2 },
  ],
  [
    'ends the stream too early, then answers well',
    [{ text: 'this will break off', cut: 'clean' }, fine],
    { code: 0, state: 'done', requests: 2 },
  ],
  ['sends garbage twice', [{ raw: '\u0000garbage' }, { raw: '<html>no</html>' }], { code: 1, state: 'failed', requests: 2 }],
  [
    'refuses the request',
    [{ status: 400, body: '{"error":{"message":"bad \\u001b[31m thing"}}' }],
    { code: 1, state: 'failed', requests: 1 },
  ],
  [
    'hangs in the middle of the stream, then answers well',
    [{ text: 'this will hang', hang: 'mid-stream' }, fine],
    { code: 0, state: 'done', requests: 2 },
  ],
  ['never sends headers, twice', [{ hang: 'before-headers' }], { code: 1, state: 'failed', requests: 2 }],
  ['cuts the answer at its limit', [{ text: 'half of', finishReason: 'length' }], { code: 7, state: 'limited', requests: 1 }],
];

test('whatever a provider does, the run ends in a state and the record is complete', { concurrency: 4 }, async (t) => {
  await Promise.all(
    table.map(async ([name, turns, expected]) => {
      await t.test(`the provider ${name}`, async () => {
        await using server = await startOpenAiServer({ turns });
        using one = newInstallation({ openAi: server.baseUrl });

        const asked = await one.cli(['ask', 'hello', '--json'], { seconds: 25 });

        assert.equal(asked.code, expected.code, asked.stdout + asked.stderr);
        assert.equal(asked.json['state'], expected.state);
        assert.equal(server.requests.length, expected.requests);
        const journal = journalOf(asked.json['bundle']);
        assert.equal(journal.at(-1)?.kind, 'end');
        const known = journal.filter(({ kind }) => kind === 'model.answer' || kind === 'model.error').length;
        assert.equal(known, 1);
        assert.equal((await one.cli(['audit', 'verify', '--schema'])).code, 0);
      });
    }),
  );
});

test('words of a model that would deceive a reader are visible code points for people', async () => {
  const hostile = 'rm\u202e\u001b[31m';
  await using server = await startOpenAiServer({ turns: [{ text: hostile, toolCalls: [{ name: hostile, args: {} }] }, { text: hostile }] });
  using one = newInstallation({ openAi: server.baseUrl });

  const asked = await one.cli(['ask', 'hello']);
  const shown = await one.cli(['runs', 'show']);
  const tailed = await one.cli(['runs', 'tail']);

  for (const { stdout, stderr } of [asked, shown, tailed]) assert.doesNotMatch(stdout + stderr, /\u202e|[^\P{Cc}\n]/u);
  assert.match(asked.stderr, /U\+202E/);
});

test('a failed run is resumed when the provider works again, and the failure stays in the record', async () => {
  await using server = await startOpenAiServer({ turns: [{ status: 401 }, fine] });
  using one = newInstallation({ openAi: server.baseUrl });

  const asked = await one.cli(['ask', 'hello', '--json']);
  const resumed = await one.cli(['runs', 'resume', '--json']);

  assert.deepEqual([asked.code, resumed.code, resumed.json['output']], [1, 0, 'all is well']);
  assert.deepEqual(
    journalOf(asked.json['bundle'])
      .filter(({ kind }) => kind.startsWith('model.'))
      .map(({ kind }) => kind),
    ['model.request', 'model.error', 'model.request', 'model.answer'],
  );
});

test('an agent works with reads, a write, a traversal, a denied and an unknown tool on both wires alike', async () => {
  const turns: ServerTurn[] = [
    {
      toolCalls: [
        { name: 'fs_read', args: { path: 'a.md' } },
        { name: 'fs_write', args: { path: 'b.md', content: 'made\n' } },
        { name: 'fs_read', args: { path: '../../etc/passwd' } },
        { name: 'fs_edit', args: { path: 'a.md', edits: [{ oldText: 'a', newText: 'b' }] } },
        { name: 'rm_rf', args: {} },
        { name: 'fs_read', args: { file: 'a.md' } },
      ],
    },
    fine,
  ];
  await using openAi = await startOpenAiServer({ turns });
  await using anthropic = await startAnthropicServer({ turns });
  const seen: unknown[] = [];
  for (const options of [{ openAi: openAi.baseUrl }, { anthropic: anthropic.baseUrl, env: { CLAUDE_KEY: 'key-for-the-test-server' } }]) {
    using one = newInstallation({ ...options, agentYaml: 'grants:\n  fs.read: {}\n  fs.write: {}\n' });
    one.write('workspace/a.md', 'the text\n');

    const asked = await one.cli(['ask', 'work', '--json']);

    assert.equal(asked.code, 0, asked.stdout);
    assert.equal(one.read('workspace/b.md'), 'made\n');
    assert.equal(one.read('workspace/a.md'), 'the text\n');
    const results = journalOf(asked.json['bundle']).filter(({ kind }) => kind === 'result');
    const codes = results.toSorted((a, b) => (a.callId < b.callId ? -1 : 1)).map(({ result }) => result.code ?? 'ok');
    assert.deepEqual(codes, ['ok', 'ok', 'policy.denied', 'policy.denied', 'tool.unknown', 'tool.bad-arguments']);
    const denied = (await one.cli(['audit', 'query', '--type', 'policy.denied', '--json'])).stdout.trim().split('\n');
    assert.equal(denied.length, 2);
    seen.push(codes);
  }
  assert.deepEqual(seen[0], seen[1]);
  const told = messagesOf(openAi.requests[1])
    .filter(({ role }) => role === 'tool')
    .map(({ content }) => content);
  assert.match(told[0], /^<untrusted source="file:a\.md">\nthe text/);
  assert.match(told[2], /\.\.\/etc\/passwd" contains `\.\.`/);
  assert.match(told[3], /To allow it, add this line under grants:/);
});

test('the prompt of the default agent for "hello", tools and all, is at most 8 KB on the wire', async () => {
  await using server = await startOpenAiServer();
  using one = newInstallation();

  for (const template of ['small-box', 'scribe', 'scout']) {
    await one.cli(['agents', 'new', template, '--template', template]);
    one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${server.baseUrl} }\n`);
    const asked = await one.cli(['ask', 'hello', '--agent', template, '--model', 'test/model']);
    assert.equal(asked.code, 0, asked.stderr);
  }

  assert.equal(server.requests.length, 3);
  for (const { body } of server.requests)
    assert.ok(Buffer.byteLength(JSON.stringify(body)) <= 8 * 1024, String(JSON.stringify(body).length));
});
