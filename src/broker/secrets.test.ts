import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import type { Keychain } from './keychain.ts';
import { openSecrets, readSecretValue, secretDirs, type Secrets, type SecretsOptions } from './secrets.ts';

const tenant = parseTenantId('default');
const other = parseTenantId('acme');
// not-a-secret: made up for this test
const value = 'ghp_0123456789abcdefghij0123456789abcdef';
const hosts = ['api.example.org:443'];

function fixture(
  t: TestContext,
  more: Partial<SecretsOptions> = {},
): { readonly secrets: Secrets; readonly root: string; readonly dir: string } {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-secrets-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const dirs = secretDirs({ isRoot: false, userDir: root });
  return { root, dir: path.join(root, 'secrets', tenant), secrets: openSecrets({ env: {}, clock: { now: () => 1e12 }, dirs, ...more }) };
}

test('a secret is stored with mode 0600 in a folder of mode 0700, and never shown', async (t) => {
  const { secrets, dir } = fixture(t);

  const view = await secrets.set(tenant, 'GITHUB_TOKEN', { value, hosts });

  assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
  assert.deepEqual(
    fs.readdirSync(dir).map((file) => fs.statSync(path.join(dir, file)).mode & 0o777),
    [0o600, 0o600],
  );
  assert.ok(!JSON.stringify([view, await secrets.list(tenant), await secrets.which(tenant, 'GITHUB_TOKEN')]).includes(value));
  assert.equal(view.fingerprint, 'ghp_…cdef');
  assert.deepEqual(await secrets.get(tenant, 'GITHUB_TOKEN'), {
    name: 'GITHUB_TOKEN',
    value,
    hosts,
    place: [{ in: 'header', name: 'authorization' }],
  });
});

test('the environment wins for tenant default and reaches no other tenant', async (t) => {
  const { secrets } = fixture(t, { env: { API_KEY: 'from-environment' } });
  await secrets.set(tenant, 'API_KEY', { value: 'from-a-file', hosts });

  assert.equal((await secrets.get(tenant, 'API_KEY'))?.value, 'from-environment');
  assert.equal(await secrets.get(other, 'API_KEY'), undefined);
  assert.match((await secrets.which(other, 'API_KEY'))[0]?.note ?? '', /tenant default only/);
});

test('a keychain stands between environment and files, and its absence is said', async (t) => {
  const keychain: Keychain = {
    unavailable: async () => undefined,
    get: async (_, name) => (name === 'API_KEY' ? 'from-keychain' : undefined),
  };
  const { secrets } = fixture(t, { keychain });
  await secrets.set(tenant, 'API_KEY', { value: 'from-a-file', hosts });

  assert.equal((await secrets.get(tenant, 'API_KEY'))?.value, 'from-keychain');
  assert.match((await fixture(t).secrets.which(tenant, 'API_KEY'))[1]?.note ?? '', /skipped: none is asked here/);
});

test('a secret without metadata names no host, so it goes nowhere', async (t) => {
  const { secrets } = fixture(t, { env: { API_KEY: 'from-environment' } });

  assert.deepEqual(await secrets.get(tenant, 'API_KEY'), { name: 'API_KEY', value: 'from-environment', hosts: [], place: [] });
});

test('one tenant never reads what another has', async (t) => {
  const { secrets } = fixture(t);
  await secrets.set(other, 'API_KEY', { value, hosts });

  assert.equal(await secrets.get(tenant, 'API_KEY'), undefined);
  assert.deepEqual(await secrets.list(tenant), []);
});

const unsafe: readonly (readonly [name: string, spoil: (dir: string, root: string) => void])[] = [
  ['a value that others may read', (dir) => fs.chmodSync(path.join(dir, 'API_KEY'), 0o640)],
  ['metadata that others may write', (dir) => fs.chmodSync(path.join(dir, 'API_KEY.json'), 0o666)],
  ['a folder that others may enter', (dir) => fs.chmodSync(dir, 0o755)],
  ['a parent that others may write', (_, root) => fs.chmodSync(path.join(root, 'secrets'), 0o777)],
  [
    'a link instead of the value',
    (dir, root) => replace(path.join(dir, 'API_KEY'), (file) => fs.symlinkSync(path.join(root, 'elsewhere'), file)),
  ],
  ['a second name of the value', (dir, root) => fs.linkSync(path.join(dir, 'API_KEY'), path.join(root, 'second'))],
  ['a folder instead of the value', (dir) => replace(path.join(dir, 'API_KEY'), (file) => fs.mkdirSync(file, { mode: 0o600 }))],
  [
    'a link instead of the folder',
    (dir) => {
      fs.renameSync(dir, `${dir}-real`);
      fs.symlinkSync(`${dir}-real`, dir);
    },
  ],
  [
    'metadata of another shape',
    (dir) => fs.writeFileSync(path.join(dir, 'API_KEY.json'), '{"version":1,"hosts":["*"],"place":[],"created":""}'),
  ],
];
for (const [name, spoil] of unsafe) {
  test(`sabotage: ${name} is refused`, async (t) => {
    const { secrets, dir, root } = fixture(t);
    fs.writeFileSync(path.join(root, 'elsewhere'), value, { mode: 0o600 });
    await secrets.set(tenant, 'API_KEY', { value, hosts });
    assert.notEqual(await secrets.get(tenant, 'API_KEY'), undefined);

    spoil(dir, root);

    await assert.rejects(
      async () => await secrets.get(tenant, 'API_KEY'),
      (error: Error) => !error.message.includes(value) && 'code' in error && String(error.code).startsWith('broker.'),
    );
  });
}

function replace(file: string, make: (file: string) => void): void {
  fs.rmSync(file);
  make(file);
}

for (const name of ['', 'lower', '../X', 'A/B', 'A.JSON', 'PATH\n', `A${'B'.repeat(63)}`]) {
  test(`${JSON.stringify(name)} cannot name a secret`, async (t) => {
    const { secrets } = fixture(t);

    await assert.rejects(async () => await secrets.set(tenant, name, { value, hosts }), { code: 'broker.bad-secret-name' });
    await assert.rejects(async () => await secrets.get(tenant, name), { code: 'broker.bad-secret-name' });
  });
}

for (const bad of [
  'short',
  'line\nbreak-in-it',
  'return\rin-it-too',
  'nul\u0000in-it-too',
  'ümlaut-in-it',
  ' leading-space',
  'x'.repeat(8193),
]) {
  test(`the value ${JSON.stringify(bad.slice(0, 20))} is refused without being shown`, async (t) => {
    const { secrets } = fixture(t);

    await assert.rejects(
      async () => await secrets.set(tenant, 'API_KEY', { value: bad, hosts }),
      (error: Error) => !error.message.includes(bad),
    );
    assert.equal(await secrets.get(tenant, 'API_KEY'), undefined);
  });
}

for (const host of [
  '*',
  '*.example.org:443',
  'example.org',
  'example.org:0',
  'EXAMPLE.org:443',
  '127.0.0.1',
  'a.b:1/x',
  'user@a.b:443',
  'example.org.:443',
]) {
  test(`a secret cannot be for the host ${host}`, async (t) => {
    const { secrets } = fixture(t);

    await assert.rejects(async () => await secrets.set(tenant, 'API_KEY', { value, hosts: [host] }), { code: 'broker.bad-secret-meta' });
  });
}

test('a secret cannot stand in a header that frames the request, nor in a body of any path', async (t) => {
  const { secrets } = fixture(t);

  for (const place of [
    { in: 'header', name: 'content-length' },
    { in: 'header', name: 'a b' },
    { in: 'body', method: 'POST', path: '/**' },
  ] as const)
    await assert.rejects(async () => await secrets.set(tenant, 'API_KEY', { value, hosts, place: [place] }), {
      code: 'broker.bad-secret-meta',
    });
});

test('rotating keeps hosts and creation, and says when', async (t) => {
  let now = 1e12;
  const { secrets } = fixture(t, { clock: { now: () => now } });
  await secrets.set(tenant, 'API_KEY', { value, hosts });
  now += 1000;

  const view = await secrets.rotate(tenant, 'API_KEY', 'another-value');

  assert.deepEqual([view.hosts, view.created, view.rotated], [hosts, '2001-09-09T01:46:40.000Z', '2001-09-09T01:46:41.000Z']);
  assert.equal((await secrets.get(tenant, 'API_KEY'))?.value, 'another-value');
  await assert.rejects(async () => await secrets.rotate(tenant, 'NO_SUCH', value), { code: 'broker.no-secret' });
});

test('a removed secret leaves nothing', async (t) => {
  const { secrets, dir } = fixture(t);
  await secrets.set(tenant, 'API_KEY', { value, hosts });

  assert.equal(await secrets.remove(tenant, 'API_KEY'), true);
  assert.equal(await secrets.remove(tenant, 'API_KEY'), false);
  assert.deepEqual(fs.readdirSync(dir), []);
});

test('a value is read from a stream to its end, without the line’s end', async () => {
  const stream = (...parts: string[]): AsyncIterable<Uint8Array> =>
    (async function* () {
      for (const part of parts) yield Buffer.from(part);
    })();

  assert.equal(await readSecretValue(stream('from-', 'stdin\n')), 'from-stdin');
  await assert.rejects(async () => await readSecretValue(stream('x'.repeat(8000), 'x'.repeat(8000))), { code: 'broker.bad-secret' });
});

test('as root the folders lie beneath /etc, and the short one serves tenant default only', () => {
  const dirs = secretDirs({ isRoot: true, userDir: '/root/.config/clawhold' });

  assert.deepEqual(dirs(tenant), ['/etc/clawhold/tenants/default/secrets', '/etc/clawhold/secrets']);
  assert.deepEqual(dirs(other), ['/etc/clawhold/tenants/acme/secrets']);
});
