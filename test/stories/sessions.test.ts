import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { messagesOf, newInstallation, type Document } from './installation.ts';

test('messages of one session share its id, have runs of their own, and send what was said before', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'Hello Ada.' }, { text: 'You are Ada.' }, { text: 'Still Ada.' }] });
  using one = newInstallation({ openAi: server.baseUrl });

  const first = (await one.cli(['ask', 'I am Ada.', '--json'])).json;
  const second = (await one.cli(['ask', 'Who am I?', '--session', first.session, '--json'])).json;
  const third = (await one.cli(['ask', 'And now?', '--continue', '--json'])).json;

  assert.deepEqual([second.session, third.session], [first.session, first.session]);
  assert.equal(new Set([first.run, second.run, third.run]).size, 3);
  assert.deepEqual(
    messagesOf(server.requests[2])
      .slice(1)
      .map(({ role, content }) => `${role}: ${content}`),
    ['user: I am Ada.', 'assistant: Hello Ada.', 'user: Who am I?', 'assistant: You are Ada.', 'user: And now?'],
  );
});

test('--continue goes on with the last run, also when a message in between was refused', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'Hello Ada.' }] });
  using one = newInstallation({ openAi: server.baseUrl });

  const first = (await one.cli(['ask', 'I am Ada.', '--json'])).json;
  const refused = await one.cli(['ask', 'Who am I?', '--model', 'nobody/model', '--json']);
  const second = (await one.cli(['ask', 'Who am I?', '--continue', '--json'])).json;

  assert.equal(refused.code, 2);
  assert.equal(second.session, first.session);
});

test('a session that is at work, unknown, or of another agent is refused', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'one' }, { text: 'a slow answer', eventDelayMs: 1500 }] });
  using one = newInstallation({ openAi: server.baseUrl });
  one.write(one.agentFile('agent.yaml', 'other'), 'version: 1\n');
  const { session } = (await one.cli(['ask', 'hello', '--agent', 'main', '--json'])).json;
  const { child, done } = one.start(['ask', 'slow', '--agent', 'main', '--session', session, '--json']);
  while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));

  const busy = await one.cli(['ask', 'me too', '--agent', 'main', '--session', session, '--json']);
  const other = await one.cli(['ask', 'me too', '--agent', 'other', '--session', session, '--json']);
  const unknown = await one.cli(['ask', 'hi', '--agent', 'main', '--session', `ses_${'0'.repeat(26)}`, '--json']);
  child.kill('SIGINT');
  await done;

  assert.deepEqual([busy.code, busy.json['error'].code], [2, 'worker.session-busy']);
  assert.deepEqual([other.code, other.json['error'].code], [2, 'cli.unknown-session']);
  assert.deepEqual([unknown.code, unknown.json['error'].code], [2, 'cli.unknown-session']);
});

test('two roles have their own prompt, tools and model', async () => {
  await using server = await startOpenAiServer();
  using one = newInstallation({ openAi: server.baseUrl });
  one.write(one.agentFile('agent.yaml', 'reader'), 'version: 1\nmodel: test/small\ngrants: { fs.read: {} }\n');
  one.write(one.agentFile('SOUL.md', 'reader'), 'You only read.\n');
  one.write(one.agentFile('agent.yaml', 'clock'), 'version: 1\nmodel: test/large\ngrants: { time.now: {} }\n');
  one.write(one.agentFile('SOUL.md', 'clock'), 'You tell the time.\n');

  for (const agent of ['reader', 'clock']) assert.equal((await one.cli(['ask', 'hello', '--agent', agent])).code, 0);

  const [reader, clock] = server.requests.map(({ body }) => body);
  const names = (body: Document): unknown => body.tools.map((tool: Document) => tool.function.name);
  assert.deepEqual([reader?.['model'], clock?.['model'], names(reader), names(clock)], ['small', 'large', ['fs_read'], ['time_now']]);
  assert.match(messagesOf(server.requests[0])[0]?.content, /You only read/);
  assert.match(messagesOf(server.requests[1])[0]?.content, /You tell the time/);
});

test('processes on one home work at the same time, and the ledger of all of them verifies', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'ok', eventDelayMs: 20 }) });
  using one = newInstallation({ openAi: server.baseUrl });

  const asked = await Promise.all([1, 2, 3, 4].map(async (n) => await one.cli(['ask', `message ${n}`, '--json'])));
  const verified = await one.cli(['audit', 'verify', '--schema', '--json']);
  const listed = (await one.cli(['runs', 'list', '--json'])).json['runs'];

  assert.deepEqual(
    asked.map(({ code }) => code),
    [0, 0, 0, 0],
    asked.map(({ stdout }) => stdout).join(''),
  );
  assert.equal(verified.code, 0, verified.stdout);
  assert.ok(verified.json['streams'].length > 1);
  assert.equal(listed.length, 4);
});
