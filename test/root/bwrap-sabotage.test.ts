import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { type BwrapOptions, openBwrap } from '../../src/sandbox/bwrap.ts';
import { compileAttacks, newWorkspace, text } from '../../src/sandbox/conformance.ts';
import { SandboxUnavailableError } from '../../src/sandbox/sandbox-error.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { whyNot } from './needs.ts';

/**
 * Each part of the profile, taken away: the attack that the conformance suite sees refused succeeds here. So it is that
 * part which refuses it, and the attack is a real one.
 */
const runtimeDir = mkdtempSync(path.join(tmpdir(), 'sabotage-'));
after(() => rmSync(runtimeDir, { recursive: true, force: true }));
const skip = whyNot('bwrap', 'gcc');
const attacks = skip === undefined ? compileAttacks() : '';
const owner = 12_345;
const allowAll = Buffer.from([0x06, 0, 0, 0, 0, 0, 0xff, 0x7f]);

async function weakened(t: TestContext, change: Partial<BwrapOptions>): Promise<{ sandbox: Sandbox; workspace: string }> {
  const workspace = newWorkspace(owner, attacks);
  const sandbox = await openBwrap({ runtimeDir, ...change }).start({ label: 'sabotage', workspace, limits: {}, network: 'none' });
  t.after(async () => {
    await sandbox.stop();
    rmSync(workspace, { recursive: true, force: true });
  });
  return { sandbox, workspace };
}

/** Leaves an option and its arguments away. */
function without(option: string, ...values: string[]): NonNullable<BwrapOptions['editArgs']> {
  return (args) => {
    const at = args.findIndex((arg, index) => arg === option && values.every((value, i) => args[index + 1 + i] === value || value === '*'));
    assert.notEqual(at, -1, `${option} ${values.join(' ')} is part of the profile`);
    return args.toSpliced(at, 1 + values.length);
  };
}

test('without its own network, a sandbox reaches the loopback and abstract sockets of the host', { skip }, async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  const abstract = net.createServer().listen('\0clawhold-sabotage');
  t.after(() => [server.close(), abstract.close()]);
  await new Promise((resolve) => server.once('listening', resolve));
  const { sandbox } = await weakened(t, { editArgs: (args) => args.toSpliced(1, 0, '--share-net') });

  const { port } = server.address() as net.AddressInfo;

  assert.equal((await sandbox.exec(['./attack', 'tcp', '127.0.0.1', String(port)])).exitCode, 0);
  assert.equal((await sandbox.exec(['./attack', 'abstract', 'clawhold-sabotage'])).exitCode, 0);
});

for (const attack of ['vsock', 'userfaultfd', 'io-uring', 'keyctl']) {
  test(`without the system call filter, the attack ${attack} succeeds`, { skip }, async (t) => {
    const { sandbox } = await weakened(t, { filter: allowAll });

    const result = await sandbox.exec(['./attack', attack]);

    assert.equal(result.exitCode, 0, text(result.stdout));
  });
}

test('without filter and without closed user namespaces, a command makes namespaces of its own', { skip }, async (t) => {
  const { sandbox } = await weakened(t, { filter: allowAll, editArgs: without('--disable-userns') });

  assert.equal((await sandbox.exec(['./attack', 'unshare-user'])).exitCode, 0);
});

test('without the mount of a mask, a command writes there', { skip }, async (t) => {
  const { sandbox } = await weakened(t, { editArgs: (args) => without('--ro-bind', '*', '/workspace/.clawhold')(args) });

  assert.equal((await sandbox.exec(['sh', '-c', 'rm .clawhold && mkdir .clawhold'])).exitCode, 0);
});

test('without the pin on a masked folder, a command moves it away and puts its own hooks there', { skip }, async () => {
  const workspace = newWorkspace(owner, attacks);
  mkdirSync(path.join(workspace, '.git/hooks'), { recursive: true });
  writeFileSync(path.join(workspace, '.git/config'), '');
  for (const name of ['.git', '.git/hooks', '.git/config']) chownSync(path.join(workspace, name), owner, owner);
  const open = (editArgs?: BwrapOptions['editArgs']) => openBwrap({ runtimeDir, ...(editArgs === undefined ? {} : { editArgs }) });
  const spec = { label: 'sabotage', workspace, limits: {}, network: 'none' as const };
  const line = 'mv .git old && mkdir -p .git/hooks && echo evil > .git/hooks/post-checkout';

  const whole = await open().start(spec);
  const refused = await whole.exec(['sh', '-c', line]);
  await whole.stop();
  const weak = await open(without('--bind', path.join(workspace, '.git'), '/workspace/.git')).start(spec);
  const succeeded = await weak.exec(['sh', '-c', line]);
  await weak.stop();
  rmSync(workspace, { recursive: true });

  assert.deepEqual([refused.exitCode === 0, succeeded.exitCode], [false, 0]);
});

test('without a read-only root, a command writes beside the system', { skip }, async (t) => {
  const { sandbox } = await weakened(t, { editArgs: without('--remount-ro', '/') });

  assert.equal((await sandbox.exec(['sh', '-c', 'echo x > /clawhold-test'])).exitCode, 0);
});

test('with a folder of the host mounted, its files are seen: the attack on host files looks at the right place', { skip }, async (t) => {
  const host = mkdtempSync(path.join(tmpdir(), 'secret-'));
  t.after(() => rmSync(host, { recursive: true }));
  chmodSync(host, 0o755);
  writeFileSync(path.join(host, 'file'), 'host secret', { mode: 0o644 });
  const { sandbox } = await weakened(t, { editArgs: (args) => args.toSpliced(args.indexOf('--remount-ro'), 0, '--ro-bind', host, host) });

  assert.equal(text((await sandbox.exec(['cat', path.join(host, 'file')])).stdout), 'host secret');
});

test('a supervisor whose shell is readable can be looked into by commands', { skip }, async (t) => {
  const { sandbox } = await weakened(t, {
    editArgs: (args) => args.toSpliced(args.indexOf('/run/clawhold/programs') + 1, 0, '--ro-bind', '/bin/sh', '/run/clawhold/programs/sh'),
  });

  assert.equal((await sandbox.exec(['sh', '-c', 'ls /proc/2/fd/8'])).exitCode, 0);
});

test('a bwrap that fails to set up denies with its reason, and the command does not run', { skip }, async (t) => {
  const workspace = newWorkspace(owner, attacks);
  t.after(() => rmSync(workspace, { recursive: true }));
  const driver = openBwrap({ runtimeDir, editArgs: (args) => args.toSpliced(0, 0, '--bind', '/no/such/place', '/x') });

  await assert.rejects(
    driver.start({ label: 'x', workspace, limits: {}, network: 'none' }),
    (error) => error instanceof SandboxUnavailableError && /no\/such\/place/.test(error.message),
  );
  const probe = await driver.probe();
  assert.ok(!probe.works && /no\/such\/place/.test(probe.reason));
  assert.equal(existsSync(path.join(workspace, '.clawhold')), false);
});

test('a machine without bubblewrap is a reason, not a fallback', { skip }, async () => {
  const probe = await openBwrap({ runtimeDir, executable: '/no/such/bwrap' }).probe();

  assert.ok(!probe.works && /no\/such\/bwrap/.test(probe.reason) && probe.remedy !== '');
});

test('a program in the place of bwrap that only runs the command is found out', { skip }, async (t) => {
  const fake = path.join(runtimeDir, 'fake-bwrap');
  writeFileSync(
    fake,
    '#!/bin/sh\ncase $1 in --version) echo bubblewrap 0.8.0;; --help) echo;; *) touch /tmp/clawhold-fake-ran; exit 0;; esac\n',
    { mode: 0o755 },
  );
  t.after(() => rmSync(fake));
  const workspace = newWorkspace(owner, attacks);
  t.after(() => rmSync(workspace, { recursive: true }));

  await assert.rejects(
    openBwrap({ runtimeDir, executable: fake }).start({ label: 'x', workspace, limits: {}, network: 'none' }),
    SandboxUnavailableError,
  );
  assert.equal(readFileSync(path.join(workspace, 'attack')).length > 0, true);
  rmSync('/tmp/clawhold-fake-ran', { force: true });
});

test('a first process that did not put itself under the limits is found out, and nothing runs', { skip }, async (t) => {
  const workspace = newWorkspace(owner, attacks);
  t.after(() => rmSync(workspace, { recursive: true }));
  const spec = { label: 'sabotage', workspace, limits: {}, network: 'none' as const };
  const withCeilings = (ceilings: string) =>
    openBwrap({ runtimeDir, editArgs: (args) => args.with(args.indexOf('_ceilings') + 1, ceilings) }).start(spec);

  await assert.rejects(withCeilings('- - - - none'), /is not under its limits/);
  await assert.rejects(withCeilings('- - - - 0'), /is not under its limits/);
  await assert.rejects(withCeilings('- - - - 7'), SandboxUnavailableError);
  await assert.rejects(withCeilings('- - - -'), SandboxUnavailableError);
  await assert.rejects(withCeilings(''), SandboxUnavailableError);
  assert.equal(existsSync(path.join(workspace, '.clawhold')), false);
});

test('a command finds no door of a resource group: it has three descriptors, and its group is the sandbox', { skip }, async (t) => {
  const { sandbox } = await weakened(t, {});

  const result = await sandbox.exec(['sh', '-c', 'ls -l /proc/1/fd /proc/$$/fd; cat /proc/self/cgroup']);

  assert.doesNotMatch(text(result.stdout), /tasks|cgroup\.procs/);
  assert.match(text(result.stdout), /pids:\/.*clawhold-bwrap-|0::\//);
});
