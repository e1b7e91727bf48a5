import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { journalOf, newInstallation } from './installation.ts';

const grants = 'grants:\n  fs.read: {}\n  fs.list: {}\n  code.search: {}\n  fs.write: {}\n';
const calls = [
  { name: 'fs_read', args: { path: 'repo:workspace/private/x.txt' } },
  { name: 'code_search', args: { query: 'TOPSECRET', path: 'repo:.' } },
  { name: 'fs_list', args: { path: 'repo:.', depth: 9 } },
  { name: 'fs_write', args: { path: 'vendor/lib.js', content: 'changed' } },
];

test('a rule about one root is not passed by through another root that contains it, and a read-only root stays read-only', async () => {
  await using server = await startOpenAiServer({ turns: [{ toolCalls: calls }, { text: 'over' }] });
  using one = newInstallation({
    openAi: server.baseUrl,
    agentYaml: `workspace: workspace\nroots: { repo: ., vendor: workspace/vendor }\n${grants}`,
    tenantPolicy: 'version: 1\nrules:\n  - { id: all, allow: "*" }\n  - { id: private, deny: "*", paths: ["private/**"] }\n',
  });
  one.write('workspace/private/x.txt', 'TOPSECRET\n');
  one.write('workspace/vendor/lib.js', 'as it was\n');

  const asked = await one.cli(['ask', 'Look around.', '--json']);
  const results = journalOf(asked.json['bundle']).filter(({ kind }) => kind === 'result');
  const said = results.map(({ result }) => result.text).join('\n');

  assert.equal(asked.code, 0, asked.stdout);
  assert.doesNotMatch(said, /TOPSECRET|private\/x\.txt \d|ed25519/);
  assert.match(said, /lies in another root; write it as `private\/x\.txt`/);
  assert.equal(one.read('workspace/vendor/lib.js'), 'as it was\n');
});
