import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { filesBelow, messagesOf, newInstallation } from './installation.ts';

/** Made at run time, so that no scanner finds a key in this repository. */
const planted = {
  env: ['env', 'k3y', 'Vq8ZtR2mWx5LpJd9'].join('-'),
  file: ['ghp', 'a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8'].join('_'),
  answer: ['sk', 'proj', 'Zx9Yw8Vu7Ts6Rq5Po4Nm3Lk2Ji1Hg0Fe'].join('-'),
  escaped: ['ghp', 'Z9y8X7w6V5u4T3s2R1q0P9o8N7m6L5k4J3i2'].join('_'),
};

test('planted secrets appear in no record, prompt or output, whatever way they come in', async () => {
  const escaped = `{"path":"out.md","content":"\\u0067${planted.escaped.slice(1)}"}`;
  await using server = await startOpenAiServer({
    turns: [
      {
        text: `I found ${planted.answer} and ${planted.env}.`,
        toolCalls: [
          { name: 'fs_read', args: { path: 'config.txt' } },
          { name: 'code_search', args: { pattern: 'token' } },
          { name: 'fs_edit', args: { path: 'config.txt', edits: [{ oldText: 'colour = red', newText: 'colour = blue' }] } },
          { name: 'fs_write', args: escaped },
          { name: planted.file, args: {} },
        ],
      },
      { text: `It is ${planted.file}, truly ${planted.answer}` },
    ],
  });
  using one = newInstallation({ openAi: server.baseUrl, env: { OPENAI_API_KEY: planted.env, TEST_KEY: planted.env } });
  one.write('workspace/config.txt', `token = ${planted.file}\ncolour = red\nkey = ${planted.env}\n`);
  one.write(one.agentFile('memory/old.md'), `Remember ${planted.answer}.\n`);
  const outputs: string[] = [];
  const watch = async (args: readonly string[]): Promise<void> => {
    const { stdout, stderr } = await one.cli(args);
    outputs.push(stdout, stderr);
  };

  await watch(['ask', `Use ${planted.answer} and ${planted.env}`, '--events']);
  for (const args of [
    ['ask', `again ${planted.file}`],
    ['runs', 'show'],
    ['runs', 'show', '--diff'],
    ['runs', 'tail'],
    ['runs', 'replay', '--json'],
    ['audit', 'query'],
    ['runs', 'list'],
    ['agents', 'show', 'main'],
  ])
    await watch(args);

  const seen = [
    ...outputs.map((text, index) => [`output ${index}`, text] as const),
    ...server.requests.map(({ body }, index) => [`request ${index}`, JSON.stringify(body)] as const),
    ...[...filesBelow(one.home)]
      .filter(([name]) => !name.includes('/undo/') && !name.includes('agents/main/memory'))
      .map(([name, bytes]) => [name, bytes.toString('latin1')] as const),
  ];
  for (const [where, text] of seen)
    for (const [name, secret] of Object.entries(planted)) assert.ok(!text.includes(secret), `${name} is in ${where}`);
  assert.match(JSON.stringify(messagesOf(server.requests[1])), /\[redacted:/);
  assert.match(one.read('workspace/config.txt'), new RegExp(`${planted.file}\ncolour = blue\nkey = ${planted.env}`));
});

test('a secret that is split over the parts of a stream reaches neither terminal nor record', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: `before ${planted.answer} after, and ${planted.env}` }] });
  using one = newInstallation({ openAi: server.baseUrl, env: { OPENAI_API_KEY: planted.env } });

  const asked = await one.cli(['ask', 'hello']);
  const events = await one.cli(['ask', 'hello', '--events']);
  const deltas = events.stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .filter(({ type }) => type === 'text')
    .map(({ delta }) => delta);

  for (const text of [asked.stdout, deltas.join('')]) {
    assert.match(text, /^before \[redacted:[^\]]+\] after, and \[redacted:[^\]]+\]/);
    assert.ok(!text.includes(planted.answer.slice(8, 20)), text);
  }
});
