import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import { openKeychain, type Keychain } from './keychain.ts';
import { openSecrets, secretDirs, type Secrets } from './secrets.ts';

const tenant = parseTenantId('default');
const other = parseTenantId('acme');
const bus = { DBUS_SESSION_BUS_ADDRESS: 'unix:path=/nonexistent' };

interface Opened {
  readonly keychain: Keychain;
  readonly secrets: Secrets;
  /** Each start of the program, with its arguments and its environment. */
  readonly asked: () => string;
}

/** A real program in place of the system's: `script` has the account in `$5`. */
function open(t: TestContext, script: string, { env = bus, platform = 'linux' }: { env?: object; platform?: string } = {}): Opened {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-keychain-'));
  t.after(() => fs.rmSync(root, { recursive: true }));
  const program = path.join(root, 'program');
  fs.writeFileSync(program, `#!/bin/sh\necho "$@" >> ${root}/asked; /usr/bin/env >> ${root}/asked\n${script}\n`, { mode: 0o755 });
  const keychain = openKeychain({ env: { ...env, API_TOKEN: 'not-for-others' }, platform, program, limitMs: 1500 });
  const dirs = secretDirs({ isRoot: false, userDir: root });
  const secrets = openSecrets({ env: {}, clock: { now: () => 1e12 }, dirs, keychain });
  const asked = (): string => (fs.existsSync(`${root}/asked`) ? fs.readFileSync(`${root}/asked`, 'utf8') : '');
  return { keychain, secrets, asked };
}

const holding = 'case "$5" in API_KEY) printf from-keychain;; acme/API_KEY) printf from-acme-keychain;; *) exit 1;; esac';
const hosts = ['api.example.org:443'];

test('a value of the keychain beats that of a file, and which says where it was found', async (t) => {
  const { secrets, asked } = open(t, holding);
  await secrets.set(tenant, 'API_KEY', { value: 'from-a-file', hosts });
  await secrets.set(tenant, 'OTHER_KEY', { value: 'from-a-file', hosts });

  assert.equal((await secrets.get(tenant, 'API_KEY'))?.value, 'from-keychain');
  assert.equal((await secrets.get(tenant, 'OTHER_KEY'))?.value, 'from-a-file');
  assert.equal((await secrets.get(other, 'API_KEY'))?.value, 'from-acme-keychain');
  assert.deepEqual((await secrets.which(tenant, 'API_KEY'))[1], { source: 'keychain', found: true });
  assert.doesNotMatch(asked(), /not-for-others|API_TOKEN/);
});

const absent: readonly (readonly [name: string, script: string, why: RegExp])[] = [
  ['no Secret Service', 'echo "secret-tool: no such name" >&2; exit 1', /ended with 1: secret-tool: no such name/],
  ['one that never answers', 'exec sleep 60', /did not answer within 1500 ms/],
  ['one that is killed', 'kill -9 $$', /ended with/],
];

for (const [name, script, why] of absent) {
  test(`a keychain with ${name} is skipped with the reason, and the file answers`, async (t) => {
    const { secrets } = open(t, script);
    await secrets.set(tenant, 'API_KEY', { value: 'from-a-file', hosts });

    const [, keychain, file] = await secrets.which(tenant, 'API_KEY');

    assert.deepEqual([keychain?.found, file?.found], [false, true]);
    assert.match(keychain?.note ?? '', why);
    assert.equal((await secrets.get(tenant, 'API_KEY'))?.value, 'from-a-file');
  });
}

test('without a session bus nothing is started', async (t) => {
  const { keychain, asked } = open(t, holding, { env: { XDG_RUNTIME_DIR: '/nonexistent' } });

  assert.match((await keychain.unavailable()) ?? '', /no session bus/);
  assert.equal(asked(), '');
});

test('this machine is told of its keychain in the same words, or has one that answers', async () => {
  const keychain = openKeychain({ env: {}, platform: 'linux' });

  assert.match((await keychain.unavailable()) ?? '', /no session bus/);
  const without = openKeychain({ env: bus, platform: 'linux', program: '/nonexistent/secret-tool' });
  assert.equal(await without.unavailable(), 'there is no /nonexistent/secret-tool');
  assert.match((await openKeychain({ env: {}, platform: 'aix' }).unavailable()) ?? '', /no adapter for a keychain of aix/);
});

test('a keychain that answered and then fails is an error: an older value of a file does not take its place', async (t) => {
  const { secrets } = open(t, 'case "$5" in clawhold-probe) exit 1;; *) echo locked >&2; exit 1;; esac');
  await secrets.which(tenant, 'API_KEY').catch(() => {});
  await assert.rejects(async () => await secrets.get(tenant, 'API_KEY'), { code: 'broker.keychain-failed', message: /locked/ });
});

test('on macOS only its own exit code means that there is none', async (t) => {
  const none = open(t, 'echo "could not be found" >&2; exit 44', { platform: 'darwin', env: {} });
  const broken = open(t, 'exit 1', { platform: 'darwin', env: {} });

  assert.equal(await none.keychain.unavailable(), undefined);
  assert.equal(await none.keychain.get(tenant, 'API_KEY'), undefined);
  assert.match((await broken.keychain.unavailable()) ?? '', /ended with 1/);
});
