import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newInstallation } from './installation.ts';
import { serveHome } from './served.ts';

const slowScript = 'version: 1\nbranches:\n  - when: wait\n    turns:\n      - fail: hang\n  - turns:\n      - say: over\n';

test('suspending a tenant gives its runs back within seconds, and they go on when it is resumed', async () => {
  using one = newInstallation({ clawholdYaml: 'model: slow/x\n', llmExtra: '  slow: { wire: scripted, script: slow.yaml }\n' });
  one.write('.clawhold/slow.yaml', slowScript);
  await one.cli(['tenants', 'create', 'acme']);
  await one.cli(['agents', 'new', 'main', '--tenant', 'acme']);
  const made = await one.cli(['tokens', 'create', '--role', 'admin', '--tenant', 'acme', '--json']);
  const headers = { authorization: `Bearer ${made.json['secret']}` };
  await using server = await serveHome(one);
  const post = await server.ask('POST', '/api/v1/runs', { agent: 'main', input: 'wait' }, headers);
  const stateOf = async (): Promise<string> =>
    (await server.ask('GET', `/api/v1/runs/${post.json['run']}`, undefined, headers)).json['run'].state;
  const reached = async (...states: readonly string[]): Promise<string> => {
    for (;;) {
      const state = await stateOf();
      if (states.includes(state)) return state;
      await sleep(50);
    }
  };
  await reached('running');

  await one.cli(['tenants', 'suspend', 'acme']);
  const suspended = await reached('accepted', 'failed', 'stopped', 'done');
  const refused = await server.ask('POST', '/api/v1/runs', { agent: 'main', input: 'more' }, headers);
  const other = await server.reached(await server.post('hello'), 'done', 'failed');
  one.write('.clawhold/slow.yaml', slowScript.replace('fail: hang', 'say: at last'));
  await one.cli(['tenants', 'resume', 'acme']);
  server.child.kill('SIGHUP');

  assert.equal(suspended, 'accepted');
  assert.equal(refused.status, 403);
  assert.equal(other['state'], 'done');
  assert.equal(await reached('done', 'failed', 'stopped'), 'done');
});
