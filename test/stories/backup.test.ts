import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation } from './installation.ts';

const askForWrites = 'workspace: workspace\ngrants:\n  fs.read: {}\n  fs.write: { ask: true }\n';

test('a parked run is backed up, its home is lost, and after a restore it is approved and finished', async (t) => {
  const call = { name: 'fs_write', args: { path: 'a.md', content: 'by the agent\n' } };
  const server = await startOpenAiServer({ turns: [{ toolCalls: [call] }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: askForWrites });
  t.after(async () => await server.close());
  const asked = await one.cli(['ask', 'Change a.md', '--json', '--approvals', 'wait']);
  const into = path.join(one.root, 'kept');

  const created = await one.cli(['backup', 'create', '--to', into, '--json']);
  const verified = await one.cli(['backup', 'verify', created.json['archive'], '--id', created.json['id'], '--json']);
  const refused = await one.cli(['backup', 'restore', created.json['archive'], '--json']);
  fs.rmSync(one.home, { recursive: true });
  const restored = await one.cli(['backup', 'restore', created.json['archive'], '--json']);
  const approved = await one.cli(['approvals', 'approve', asked.json['waiting'][0], '--resume', '--json']);

  assert.equal(asked.code, 4);
  assert.equal(created.code, 0, created.stdout);
  assert.deepEqual([verified.code, verified.json['ok']], [0, true]);
  assert.deepEqual([refused.code, refused.json['error'].code], [2, 'ops.home-not-empty']);
  assert.equal(restored.code, 0, restored.stdout);
  assert.equal(approved.code, 0, approved.stdout);
  assert.equal(one.read('workspace/a.md'), 'by the agent\n');
  assert.equal((await one.cli(['audit', 'verify', '--bundles', '--schema'])).code, 0);
});

test('a damaged backup is exit 1 with the file, and list shows what there is', async () => {
  using one = newInstallation({ openAi: 'http://127.0.0.1:9' });
  const { archive } = (await one.cli(['backup', 'create', '--json'])).json;
  fs.appendFileSync(path.join(archive, 'home', 'llm.yaml'), '# more\n');

  const verified = await one.cli(['backup', 'verify', archive]);
  const listed = await one.cli(['backup', 'list']);

  assert.equal(verified.code, 1);
  assert.match(verified.stdout, /backup NOT ok[^]*home\/llm\.yaml is damaged/);
  assert.match(listed.stdout, /clawhold-\d{8}T\d{6}Z/);
  assert.equal((await one.cli(['backup', 'create', '--tenant', 'acme', '--json'])).code, 2);
});
