import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { filesBelow, newInstallation } from './installation.ts';

const calls = [
  { name: 'fs_read', args: { path: 'repo:a.md' } },
  { name: 'fs_write', args: { path: 'b.md', content: 'made\n' } },
  { name: 'fs_edit', args: { path: 'agent:memory/facts.md', edits: [{ oldText: 'a', newText: 'b' }] } },
];
const agentYaml =
  'roots: { repo: repo }\nmemory: [facts]\ngrants:\n  fs.read: { paths: ["repo:**"] }\n  fs.write: {}\n  fs.edit: { paths: ["agent:**"] }\n';

test('a replay needs nothing but the record: not the agent as it was, nor its folders, nor a model', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: calls }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml });
  one.write('repo/a.md', 'x');
  one.write(one.agentFile('memory/facts.md'), 'a');
  await one.cli(['ask', 'Read repo:a.md, write b.md']);

  one.write(one.agentFile('agent.yaml'), 'version: 1\ngrants: { time.now: {} }\n');
  const changed = await one.cli(['runs', 'replay', '--json']);
  for (const gone of ['repo', 'workspace', '.clawhold/tenants/default/agents', '.clawhold/llm.yaml'])
    fs.rmSync(path.join(one.root, gone), { recursive: true });
  await server.close();
  const alone = await one.cli(['runs', 'replay', '--json']);

  assert.deepEqual([changed.code, changed.json['isIdentical'], changed.json['decisions'].length], [0, true, 3]);
  assert.equal(alone.stdout, changed.stdout);
  assert.equal(fs.existsSync(one.workspace), false, 'a replay made a folder');
});

test('a replay finds a record whose decision or prompt was changed', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: calls.slice(1, 2) }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml });
  fs.mkdirSync(path.join(one.root, 'repo'));
  const { bundle } = (await one.cli(['ask', 'Write b.md', '--json'])).json;
  const file = path.join(bundle, 'journal.jsonl');
  const journal = fs.readFileSync(file, 'utf8');

  for (const [from, to] of [
    ['"verdict":"allow"', '"verdict":"ask"'],
    ['Created b.md', 'Created c.md'],
    ['Write b.md', 'Write c.md'],
  ] as const) {
    assert.ok(journal.includes(from), from);
    fs.writeFileSync(file, journal.replace(from, to));
    const replayed = await one.cli(['runs', 'replay', '--json']);
    assert.deepEqual([replayed.code, replayed.json['isIdentical']], [1, false], from);
  }
});

test('a replay of an interrupted run says where the record ends, and of a resumed one it is identical', async () => {
  await using server = await startOpenAiServer({
    turns: [{ toolCalls: calls.slice(1, 2) }, { text: 'a slow answer', eventDelayMs: 2000 }, { text: 'over' }],
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml });
  fs.mkdirSync(path.join(one.root, 'repo'));
  const { child, done } = one.start(['ask', 'Write b.md', '--json']);
  while (server.requests.length < 2) await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill('SIGKILL');
  await done;
  const before = [...filesBelow(one.workspace)];

  const early = await one.cli(['runs', 'replay', '--json']);
  await one.cli(['runs', 'resume', '--json']);
  const whole = await one.cli(['runs', 'replay', '--json']);

  assert.equal(early.json['endedEarly'], 'the record ends before model.request');
  assert.deepEqual([...filesBelow(one.workspace)], before);
  assert.deepEqual([whole.code, whole.json['isIdentical'], whole.json['endedEarly']], [0, true, undefined]);
});
