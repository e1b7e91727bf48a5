import assert from 'node:assert/strict';
import fs from 'node:fs';
import { test } from 'node:test';
import { newInstallation, type Document } from './installation.ts';

test('doctor is exit 0 on a sound home, and exit 1 with what to do after one file was spoilt', async () => {
  using one = newInstallation({ llmExtra: '', clawholdYaml: 'model: scripted/demo\n', agentYaml: 'workspace: workspace\n' });
  fs.chmodSync(one.home, 0o700);

  const sound = await one.cli(['doctor', '--json']);
  one.write('.clawhold/clawhold.yaml', 'version: 1\nmodle: scripted/demo\n');
  const spoilt = await one.cli(['doctor', '--json']);
  const shown = await one.cli(['doctor']);

  assert.equal(sound.code, 0, sound.stdout);
  assert.equal(sound.json['ok'], true);
  assert.deepEqual([spoilt.code, spoilt.json['ok']], [1, false]);
  const check = spoilt.json['checks'].find(({ name }: Document) => name === 'configuration');
  assert.match(check.message, /modle/);
  assert.match(check.remedy, /clawhold config validate/);
  assert.match(shown.stdout, /fail configuration/);
});

test('doctor does not repair what a start would repair', async () => {
  using one = newInstallation({ clawholdYaml: 'model: scripted/demo\n' });
  await one.cli(['doctor']);
  one.write('.clawhold/clawhold.yaml', '');
  one.write('.clawhold/clawhold.yaml.bak', 'version: 1\nmodel: scripted/demo\n');
  one.write('.clawhold/llm.yaml', 'version: 1\nprov');

  const found = await one.cli(['doctor', '--json']);

  assert.equal(found.code, 1);
  assert.equal(one.read('.clawhold/llm.yaml'), 'version: 1\nprov');
});
