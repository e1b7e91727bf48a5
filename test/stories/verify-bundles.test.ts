import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation } from './installation.ts';

test('a changed, missing or unknown file of a run is found against the ledger, and an honest home is not blamed', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: [{ name: 'fs_list', args: {} }] }, { text: 'over' }] });
  using one = newInstallation({ openAi: server.baseUrl });
  const { bundle, run } = (await one.cli(['ask', 'go', '--json'])).json;
  const journal = path.join(bundle, 'journal.jsonl');
  const honest = await one.cli(['audit', 'verify', '--bundles', '--json']);

  fs.writeFileSync(journal, fs.readFileSync(journal, 'utf8').replace('over', 'else'));
  fs.rmSync(path.join(bundle, 'output.md'));
  fs.cpSync(bundle, path.join(path.dirname(bundle), 'run_00000000000000000000000000'), { recursive: true });
  const changed = await one.cli(['audit', 'verify', '--bundles', '--json']);
  const shown = await one.cli(['audit', 'verify', '--bundles']);
  const without = await one.cli(['audit', 'verify']);

  assert.deepEqual([honest.code, honest.json['bundles']], [0, { runs: 1, problems: [], gone: [] }]);
  assert.deepEqual([changed.code, changed.json['ok']], [6, false]);
  const found = changed.json['bundles'].problems.map(
    (problem: { run: string; file: string }) => `${problem.run === run ? 'ours' : 'other'} ${problem.file}`,
  );
  assert.deepEqual(found.toSorted(), ['other ', 'ours journal.jsonl', 'ours output.md']);
  assert.match(shown.stdout, /journal\.jsonl: the file is not the one that the run left/);
  assert.equal(without.code, 0);
});

test('a run whose journal begins otherwise than the ledger says is not continued', async () => {
  await using server = await startOpenAiServer({
    turns: [{ toolCalls: [{ name: 'fs_write', args: { path: 'a.md', content: 'a' } }] }, { text: 'over' }],
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: 'workspace: workspace\ngrants:\n  fs.write: { ask: true }\n' });
  const { bundle, run, waiting } = (await one.cli(['ask', 'Write a.md', '--approvals', 'wait', '--json'])).json;
  const journal = path.join(bundle, 'journal.jsonl');
  await one.cli(['approvals', 'approve', waiting[0]]);

  fs.writeFileSync(journal, fs.readFileSync(journal, 'utf8').replace('"input":"Write a.md"', '"input":"Write b.md"'));
  const refused = await one.cli(['runs', 'resume', run, '--json']);
  fs.writeFileSync(journal, fs.readFileSync(journal, 'utf8').replace('"input":"Write b.md"', '"input":"Write a.md"'));
  const resumed = await one.cli(['runs', 'resume', run, '--json']);

  assert.equal(refused.json['error'].code, 'worker.journal-changed');
  assert.equal(resumed.json['state'], 'done', resumed.stdout);
});
