import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/contracts/clock.ts';
import { newTaskId, parseTenantId } from '../../src/contracts/ids.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation, type Installation } from './installation.ts';

/** Two tenants that are equal in every field: agents, texts, policies, names of secrets. */
async function twoTenants(): Promise<Installation> {
  const one = newInstallation({ clawholdYaml: 'model: scripted/demo\n' });
  for (const tenant of ['acme', 'beta']) {
    const made = await one.cli(['tenants', 'create', tenant]);
    assert.equal(made.code, 0, made.stderr);
    for (const file of ['agent.yaml', 'SOUL.md'])
      one.write(`.clawhold/tenants/${tenant}/agents/main/${file}`, one.read(one.agentFile(file)));
  }
  return one;
}

test('an unknown tenant is one sentence in every command, wherever the option stands', async () => {
  using one = newInstallation({ clawholdYaml: 'model: scripted/demo\n' });
  const before = fs.readdirSync(path.join(one.home, 'tenants'));

  for (const args of [
    ['--tenant', 'ghost', 'runs', 'list'],
    ['runs', '--tenant=ghost', 'list'],
    ['ask', 'hello', '--tenant', 'ghost'],
    ['agents', 'new', 'x', '--tenant', 'ghost'],
    ['init', '--tenant', 'ghost'],
    ['audit', 'verify', '--tenant', 'ghost'],
    ['secrets', 'list', '--tenant', 'ghost'],
  ]) {
    const { code, stderr } = await one.cli(args);
    assert.deepEqual([code, stderr.split('\n').length], [2, 2], `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /There is no tenant "ghost"/);
  }
  assert.deepEqual(fs.readdirSync(path.join(one.home, 'tenants')), before);
});

test('a tenant that is no name is refused before anything is opened', async () => {
  using one = newInstallation();

  for (const name of ['../default', '..', 'a/b', 'ACME', '', '/etc']) {
    const { code, stderr } = await one.cli(['runs', 'list', `--tenant=${name}`]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /not a valid tenant|without a name/);
  }
  const twice = await one.cli(['runs', 'list', '--tenant', 'a', '--tenant', 'b']);
  assert.match(twice.stderr, /more than once/);
});

test('two tenants with equal names in every field stay apart: runs, sessions, files, ledger', async () => {
  using one = await twoTenants();

  const asked = await one.cli(['ask', 'write it', '--tenant', 'acme', '--json']);
  const { run, session, bundle } = asked.json;

  assert.equal(asked.code, 0, asked.stderr);
  assert.ok(bundle.startsWith(path.join(one.home, 'tenants', 'acme', 'runs')));
  const lists = await Promise.all(
    ['acme', 'beta', 'default'].map(async (tenant) => (await one.cli(['runs', 'list', '--tenant', tenant, '--json'])).json.runs.length),
  );
  assert.deepEqual(lists, [1, 0, 0]);
  const never = run.replace(/.$/, (letter: string) => (letter === '0' ? '1' : '0'));
  for (const verb of ['show', 'resume', 'replay', 'undo', 'stop', 'tail']) {
    const [theirs, nobodys] = await Promise.all(
      [run, never].map(async (id) => (await one.cli(['runs', verb, id, '--tenant', 'beta'])).stderr.replaceAll(id, 'ID')),
    );
    assert.match(theirs!, /There is no run ID/, verb);
    assert.equal(theirs, nobodys, verb);
  }
  const continued = await one.cli(['ask', 'more', '--session', session, '--tenant', 'beta']);
  assert.match(continued.stderr, /has no session/);
  assert.equal((await one.cli(['audit', 'verify', '--tenant', 'acme'])).code, 0);
  const theirLedger = await one.cli(['audit', 'query', '--tenant', 'beta', '--json']);
  assert.ok(!theirLedger.stdout.includes(run));
});

test('an agent of one tenant reaches no folder of another, by its configuration or by a flag', async () => {
  using one = await twoTenants();
  const agentOf = (tenant: string): string => `.clawhold/tenants/${tenant}/agents/main/agent.yaml`;
  one.write('workspaces/acme/workspace/diary.txt', 'of acme');
  fs.symlinkSync(path.join(one.root, 'workspaces', 'acme'), path.join(one.root, 'workspaces', 'beta', 'sideways'));
  const grants = 'grants:\n  fs.read: {}\n  fs.list: {}\n';

  for (const place of [
    'workspace: ../acme/workspace',
    'roots: { x: ../acme }',
    `roots: { x: ${one.root} }`,
    'roots: { x: sideways }',
    'workspace: sideways/new',
    'mcp: { x: { command: [cat], folder: ../acme } }',
    'sandbox: { image: { rootfs: ../acme } }',
  ]) {
    one.write(agentOf('beta'), `version: 1\n${place}\n${grants}`);
    const { code, stderr } = await one.cli(['agents', 'validate', 'main', '--tenant', 'beta']);
    assert.equal(code, 2, `${place}: ${stderr}`);
    assert.match(stderr, /tenants share no folder/, place);
  }
  one.write(agentOf('beta'), `version: 1\n${grants}`);
  const byFlag = await one.cli(['ask', 'hi', '--tenant', 'beta', '--workspace', 'workspaces/acme/workspace']);
  assert.match(byFlag.stderr, /tenants share no folder/);
  const call = ['tools', 'call', 'fs.read', '--tenant', 'beta', '--json', '--args'];
  assert.equal((await one.cli([...call, '{"path": "diary.txt"}'])).json.error.code, 'fs.not-found');
});

test('an agent of tenant default, whose root holds the other tenants’, does not see into them', async () => {
  using one = await twoTenants();
  one.write('workspaces/acme/workspace/diary.txt', 'of acme');
  one.write(
    one.agentFile('agent.yaml'),
    'version: 1\nroots: { all: . }\ngrants:\n  fs.read: { paths: ["all:**"] }\n  fs.list: { paths: ["all:**"] }\n',
  );

  const read = await one.cli(['tools', 'call', 'fs.read', '--args', '{"path": "all:workspaces/acme/workspace/diary.txt"}', '--json']);
  const list = await one.cli(['tools', 'call', 'fs.list', '--args', '{"path": "all:.", "depth": 5}', '--json']);

  assert.equal(read.json.error.code, 'fs.protected');
  assert.ok(!list.stdout.includes('diary.txt'));
});

test('a secret of the environment or of another tenant is in no other tenant’s reach', async () => {
  using one = await twoTenants();
  const value = 'v4lue-of-acme-0123456789';
  await one.cli(['secrets', 'set', 'API_TOKEN', '--host', 'api.example.org', '--tenant', 'acme'], { stdin: value });

  const seen = await Promise.all(
    ['acme', 'beta', 'default'].map(async (tenant) => {
      const { json } = await one.cli(['secrets', 'which', 'API_TOKEN', '--tenant', tenant, '--json'], { env: { ENV_TOKEN: value } });
      return json.lookups.some(({ found }: { found: boolean }) => found);
    }),
  );
  const fromEnv = await Promise.all(
    ['acme', 'default'].map(async (tenant) => {
      const { json } = await one.cli(['secrets', 'which', 'ENV_TOKEN', '--tenant', tenant, '--json'], { env: { ENV_TOKEN: value } });
      return json.lookups.some(({ found }: { found: boolean }) => found);
    }),
  );

  assert.deepEqual(
    [seen, fromEnv],
    [
      [true, false, false],
      [false, true],
    ],
  );
});

test('a token is shown once, listed without its secret, rotated and revoked, and each change is in the tenant’s ledger', async () => {
  using one = await twoTenants();

  const made = await one.cli([
    'tokens',
    'create',
    '--tenant',
    'acme',
    '--role',
    'admin',
    '--role',
    'viewer',
    '--label',
    'ci',
    '--expires-days',
    '30',
    '--json',
  ]);
  const { token, secret } = made.json;
  const plain = await one.cli(['tokens', 'create', '--tenant', 'acme']);
  const rotated = await one.cli(['tokens', 'rotate', token.id, '--tenant', 'acme', '--json']);
  const revoked = await one.cli(['tokens', 'revoke', token.id, '--tenant', 'acme']);
  const listed = await one.cli(['tokens', 'list', '--tenant', 'acme', '--json']);
  const ledger = await one.cli(['audit', 'query', '--tenant', 'acme', '--json']);

  assert.deepEqual([token.tenant, token.roles, token.label], ['acme', ['admin', 'viewer'], 'ci']);
  assert.match(secret, /^clh_/);
  assert.match(plain.stdout, /^clh_[A-Za-z0-9_-]{43}\n$/);
  assert.notEqual(rotated.json.secret, secret);
  assert.deepEqual([rotated.json.token.id, revoked.code], [token.id, 0]);
  assert.deepEqual(
    listed.json.tokens.map((row: { id: string; revokedMs?: number }) => row.revokedMs !== undefined),
    [false, true],
  );
  for (const text of [listed.stdout, ledger.stdout]) assert.ok(!text.includes(secret) && !text.includes(rotated.json.secret));
  assert.equal(ledger.stdout.split(`tokens/${token.id}`).length - 1, 3);
});

test('a token of another tenant is unknown, and wrong flags are one sentence', async () => {
  using one = await twoTenants();
  const { token } = (await one.cli(['tokens', 'create', '--tenant', 'acme', '--json'])).json;

  for (const args of [
    ['tokens', 'revoke', token.id, '--tenant', 'beta'],
    ['tokens', 'rotate', token.id],
    ['tokens', 'revoke', 'tok_x'],
    ['tokens', 'create', '--role', 'root'],
    ['tokens', 'create', '--expires-days', '0'],
    ['tenants', 'list', '--tenant', 'acme'],
    ['tenants', 'create', '../x'],
    ['tenants', 'set', 'acme', 'quotas.runs', '1'],
    ['tenants', 'set', 'acme', 'weight', '0'],
  ]) {
    const { code, stderr } = await one.cli(args);
    assert.equal(code, 2, `${args.join(' ')}: ${stderr}`);
    assert.match(stderr, /^clawhold: [^\n]+/);
  }
});

test('tenants are listed with what is wrong, changed, suspended and resumed, each in the platform’s ledger', async () => {
  using one = await twoTenants();
  one.write('.clawhold/tenants/beta/tenant.yaml', 'version: 1\nweigth: 3\n');

  await one.cli(['tenants', 'set', 'acme', 'quotas.concurrentRuns', '3']);
  await one.cli(['tenants', 'suspend', 'acme']);
  const { json } = await one.cli(['tenants', 'list', '--json']);
  await one.cli(['tenants', 'resume', 'acme']);
  const shown = await one.cli(['tenants', 'show', 'acme', '--json']);
  const ledger = await one.cli(['audit', 'query', '--type', 'config.change', '--json']);

  assert.deepEqual(
    json.tenants.map(({ tenant, state }: { tenant: string; state: string }) => [tenant, state]),
    [
      ['default', 'active'],
      ['acme', 'suspended'],
      ['beta', 'invalid'],
    ],
  );
  assert.match(json.tenants[2].conditions[0].message, /weigth/);
  assert.deepEqual(shown.json.config.quotas, { concurrentRuns: 3 });
  assert.equal(ledger.stdout.split('tenants/acme/tenant.yaml').length - 1, 4);
});

test('a bound on runs at the same time holds for the queue when the command that sets it ends, and so does its end', async () => {
  using one = await twoTenants();
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(one.home, 'queue.db'), clock: systemClock });
  const tenant = parseTenantId('acme');
  const messages = Array.from({ length: 5 }, () => {
    const id = newTaskId(Date.now());
    return { tenant_id: tenant, swarm_id: id, agent_type: 'agent', shard_id: 0, task_id: id, payload: {}, idempotency_key: id };
  });
  await queue.put(messages.map((message) => ({ message })));
  const lease = async (): Promise<number> => (await queue.lease({ worker: 'w', max: 10, leaseMs: 60_000, scope: { tenant } })).length;

  await one.cli(['tenants', 'set', 'acme', 'quotas.concurrentRuns', '2']);
  const bounded = [await lease(), await lease()];
  await one.cli(['tenants', 'set', 'acme', 'quotas.concurrentRuns', 'none']);
  const unbounded = await lease();

  assert.deepEqual([bounded, unbounded], [[2, 0], 3]);
});

test('a hard rule of the platform holds in every tenant, whatever its file and its agents say', async () => {
  using one = await twoTenants();
  one.write(
    '.clawhold/policies/platform.yaml',
    'version: 1\nrules:\n  - { id: core, allow: "*" }\n  - { id: hard, deny: fs.write, paths: ["*:public/**"], why: Nothing is published. }\n',
  );
  one.write('.clawhold/tenants/acme/policy.yaml', 'version: 1\nrules: [{ id: all, allow: "*" }]\n');

  for (const tenant of ['default', 'acme', 'beta']) {
    const args = ['tools', 'call', 'fs.write', '--tenant', tenant, '--json', '--args', '{"path": "public/a", "content": "x"}'];
    const { code, json } = await one.cli(args);
    assert.deepEqual([code, json.error.code], [3, 'policy.denied'], tenant);
    assert.match(json.error.message, /hard \(policies\/platform\.yaml:4\)/);
  }
});

test('a looser tenant file starts nothing, and the sentence has both lines', async () => {
  using one = await twoTenants();
  one.write(
    '.clawhold/policies/platform.yaml',
    'version: 1\nrules:\n  - { id: core, allow: "*" }\n  - { id: hard, deny: fs.write, paths: ["*:public/**"] }\n',
  );
  one.write(
    '.clawhold/tenants/acme/policy.yaml',
    'version: 1\nrules:\n  - { id: all, allow: "*" }\n  - { id: mine, allow: fs.write, paths: [public/a] }\n',
  );

  for (const args of [
    ['ask', 'hi'],
    ['agents', 'validate'],
    ['policy', 'check'],
    ['tools', 'call', 'fs.read', '--args', '{"path": "a"}'],
  ]) {
    const { code, stdout, stderr } = await one.cli([...args, '--tenant', 'acme']);
    assert.notEqual(code, 0, args.join(' '));
    assert.match(stdout + stderr, /tenants\/acme\/policy\.yaml:4: mine gives .*policies\/platform\.yaml:4 \(hard\) denies/, args.join(' '));
  }
  assert.equal((await one.cli(['ask', 'hi', '--tenant', 'beta'])).code, 0);
  assert.deepEqual((await one.cli(['runs', 'list', '--tenant', 'acme', '--json'])).json.runs, []);
});

test('a suspended tenant starts nothing from the command line either, and reads on', async () => {
  using one = await twoTenants();
  const { run } = (await one.cli(['ask', 'hi', '--tenant', 'acme', '--json'])).json;
  await one.cli(['tenants', 'suspend', 'acme']);

  for (const args of [['ask', 'hi'], ['run'], ['runs', 'resume', run], ['tools', 'call', 'time.now', '--args', '{}']]) {
    const { code, stderr } = await one.cli([...args, '--tenant', 'acme']);
    assert.equal(code, 2, args.join(' '));
    if (args[0] !== 'run') assert.match(stderr, /Tenant acme is suspended/, args.join(' '));
  }
  assert.equal((await one.cli(['runs', 'list', '--tenant', 'acme', '--json'])).json.runs.length, 1);
  assert.equal((await one.cli(['ask', 'hi', '--tenant', 'beta'])).code, 0);
});

test('the money of a day is the same for runs from the command line', async () => {
  await using server = await startOpenAiServer({ turns: [{ text: 'one' }, { text: 'two' }] });
  const prices = 'models:\n  test/model: { inputPer1M: 1000000, outputPer1M: 1000000 }\n';
  using one = newInstallation({ openAi: server.baseUrl, llmExtra: prices, clawholdYaml: 'model: test/model\nlimits: { usd: 1000 }\n' });
  await one.cli(['tenants', 'set', 'default', 'quotas.usdPerDay', '0.5']);

  const first = await one.cli(['ask', 'hi', '--json']);
  const second = await one.cli(['ask', 'hi', '--json']);

  assert.ok(first.json.totals.costMicroUsd > 500_000, first.stdout);
  assert.deepEqual([second.code, second.json.error.code], [2, 'cli.over-quota']);
  assert.match(second.json.error.message, /quota usdPerDay/);
});
