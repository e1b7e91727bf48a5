import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation } from './installation.ts';

const changes = [
  { name: 'fs_write', args: { path: 'new.md', content: 'made\n' } },
  { name: 'fs_edit', args: { path: 'old.md', edits: [{ oldText: 'one', newText: 'two' }] } },
  { name: 'fs_edit', args: { path: 'old.md', edits: [{ oldText: 'two', newText: 'three' }] } },
  { name: 'fs_write', args: { path: 'kept.md', content: 'by the agent\n' } },
];

test('a run changes files, shows the change, and undo puts every byte back except where somebody changed it since', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: changes }, { text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  one.write('workspace/old.md', 'line one\r\n');
  one.write('workspace/kept.md', 'by a human\n');

  const asked = await one.cli(['ask', 'change them', '--json']);
  const { diff } = (await one.cli(['runs', 'show', '--diff', '--json'])).json;
  one.write('workspace/kept.md', 'by a human, later\n');
  const dry = await one.cli(['runs', 'undo', '--dry-run', '--json']);
  const undone = await one.cli(['runs', 'undo', '--json']);
  const verified = await one.cli(['audit', 'verify', '--schema']);

  assert.equal(asked.code, 0, asked.stdout);
  assert.match(diff, /-line one\r?\n\+line three/);
  assert.match(diff, /\+made/);
  assert.deepEqual([...dry.json['restored']].toSorted(), ['new.md', 'old.md']);
  assert.deepEqual([...undone.json['restored']].toSorted(), ['new.md', 'old.md']);
  assert.deepEqual(undone.json['left'], [{ target: 'kept.md', why: 'it was changed after the run' }]);
  assert.equal(undone.code, 1);
  assert.equal(one.read('workspace/old.md'), 'line one\r\n');
  assert.equal(one.read('workspace/kept.md'), 'by a human, later\n');
  assert.equal(fs.existsSync(path.join(one.workspace, 'new.md')), false);
  assert.equal(verified.code, 0, verified.stdout);
});

test('a damaged undo copy is not put back', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: changes.slice(1, 2) }, { text: 'done' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  one.write('workspace/old.md', 'line one\n');

  const { bundle } = (await one.cli(['ask', 'change it', '--json'])).json;
  fs.writeFileSync(path.join(bundle, 'undo', '1.1'), 'line 0ne\n');
  const undone = await one.cli(['runs', 'undo', '--json']);

  assert.deepEqual(undone.json['left'], [{ target: 'old.md', why: 'the kept copy is damaged' }]);
  assert.equal(one.read('workspace/old.md'), 'line two\n');
});

test('prune removes old bundles and leaves a ledger that verifies and says so', async () => {
  await using server = await startOpenAiServer();
  using one = newInstallation({ openAi: server.baseUrl });
  const { bundle, run } = (await one.cli(['ask', 'hello', '--json'])).json;

  const young = await one.cli(['runs', 'prune', '--older-than', '1', '--json']);
  const dry = await one.cli(['runs', 'prune', '--older-than', '0', '--dry-run', '--json']);
  const isKept = fs.existsSync(bundle);
  const pruned = await one.cli(['runs', 'prune', '--older-than', '0', '--json']);
  const [record] = (await one.cli(['audit', 'query', '--type', 'prune', '--json'])).stdout.trim().split('\n');
  const verified = await one.cli(['audit', 'verify', '--schema']);

  assert.deepEqual([young.json['runs'], dry.json['runs'], isKept, pruned.json['runs']], [[], [run], true, [run]]);
  assert.equal(fs.existsSync(bundle), false);
  assert.deepEqual(JSON.parse(record ?? '{}').runs, [run]);
  assert.equal(verified.code, 0, verified.stdout);
});
