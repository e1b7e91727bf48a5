import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { appendFileSync, chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { openBwrap } from '../../src/sandbox/bwrap.ts';
import { newWorkspace, text } from '../../src/sandbox/conformance.ts';
import { openOci } from '../../src/sandbox/oci.ts';
import { openPool } from '../../src/sandbox/pool.ts';
import { SandboxRequestError, SandboxUnavailableError } from '../../src/sandbox/sandbox-error.ts';
import type { SandboxImage } from '../../src/sandbox/sandbox.ts';
import { makeRootfs } from './make-rootfs.ts';
import { whyNot } from './needs.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'details-'));
chmodSync(folder, 0o755);
const skip = whyNot('bwrap', 'podman', 'runc', 'busybox', 'git');
const storage = { root: path.join(folder, 'root'), runRoot: path.join(folder, 'run') };
const podman = ['--root', storage.root, '--runroot', storage.runRoot];
after(() => {
  if (skip === undefined) execFileSync('podman', [...podman, 'system', 'reset', '--force'], { stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
});
const owner = 12_345;

test('git works in a sandbox, in a repository that it made itself, and the host runs nothing of it', { skip }, async (t) => {
  const workspace = newWorkspace(owner, '/bin/true');
  t.after(() => rmSync(workspace, { recursive: true, force: true }));
  await using sandbox = await openBwrap({ runtimeDir: path.join(folder, 'runtime') }).start({
    label: 'git',
    workspace,
    limits: {},
    network: 'none',
  });
  const lines = [
    'git init -q . && git config core.fsmonitor "touch /tmp/clawhold-evil; false" && echo hi > a && git add a && git -c user.name=a -c user.email=a@b commit -qm one',
    'git -c user.name=a -c user.email=a@b commit -qm two --allow-empty && git log --oneline | wc -l',
  ];

  const results = [];
  for (const line of lines) results.push(await sandbox.exec(['sh', '-c', line]));

  assert.deepEqual(
    results.map(({ exitCode, stderr }) => `${exitCode} ${text(stderr)}`),
    ['0 ', '0 '],
  );
  assert.equal(text(results[1]!.stdout).trim(), '2');
  assert.doesNotMatch(readFileSync(path.join(workspace, '.git/config'), 'utf8'), /fsmonitor/);
  execFileSync('git', ['-c', `safe.directory=${workspace}`, '-C', workspace, 'status'], { stdio: 'ignore' });
  assert.equal(existsSync('/tmp/clawhold-evil'), false);
});

test('an unprivileged user gets the same sandbox, and limits that need root are refused by name', { skip }, async (t) => {
  const home = path.join(folder, 'unprivileged');
  mkdirSync(home);
  chownSync(home, owner, owner);
  t.after(() => rmSync(home, { recursive: true, force: true }));
  const script = `
    const { openBwrap } = await import(${JSON.stringify(path.join(import.meta.dirname, '../../src/sandbox/bwrap.ts'))});
    const fs = await import('node:fs');
    fs.mkdirSync('${home}/w');
    const driver = openBwrap({ runtimeDir: '${home}/runtime' });
    const probe = await driver.probe();
    const spec = { label: 'x', workspace: '${home}/w', limits: { pids: 30 }, network: 'none' };
    const refused = await driver.start({ ...spec, limits: { memoryBytes: 1e8, cpus: 1 } }).then(() => '', (error) => error.message);
    const sandbox = await driver.start(spec);
    const bomb = await sandbox.exec(['sh', '-c', 'i=0; while [ $i -lt 100 ]; do sleep 5 & i=$((i + 1)); done']);
    const peek = await sandbox.exec(['sh', '-c', 'cat /proc/2/environ || ls /proc/2/fd/8 || echo x > /proc/2/fd/8']);
    const written = await sandbox.exec(['sh', '-c', 'id -u > uid']);
    await sandbox.stop();
    console.log(JSON.stringify({ works: probe.works, reason: probe.reason, limits: Object.keys(probe.limits ?? {}), refused, bomb: bomb.exitCode, peek: peek.exitCode, left: fs.readdirSync('${home}/w') }));
  `;
  const out = execFileSync(
    'setpriv',
    ['--reuid', String(owner), '--regid', String(owner), '--clear-groups', process.execPath, '--input-type=module', '-e', script],
    {
      encoding: 'utf8',
      cwd: '/',
      env: { PATH: process.env['PATH'] ?? '' },
    },
  );
  const found = JSON.parse(out);

  assert.equal(found.works, true, found.reason);
  assert.equal(found.limits.includes('memoryBytes'), false);
  assert.match(found.refused, /memoryBytes 100000000, cpus 1/);
  assert.notEqual(found.bomb, 0);
  assert.notEqual(found.peek, 0);
  assert.deepEqual(found.left, ['uid']);
});

test('images are used by digest only: a tarball by its hash, a name by its digest', { skip, timeout: 60_000 }, async (t) => {
  const workspace = newWorkspace(owner, '/bin/true');
  t.after(() => rmSync(workspace, { recursive: true, force: true }));
  const tarball = path.join(folder, 'image.tar');
  execFileSync('tar', ['-C', makeRootfs(folder), '-cf', tarball, '.']);
  const sha256 = createHash('sha256').update(readFileSync(tarball)).digest('hex');
  const driver = openOci({ runtimeDir: path.join(folder, 'oci-runtime'), storage });
  const start = async (image?: SandboxImage) =>
    driver.start({ label: 'image', workspace, limits: {}, network: 'none', ...(image === undefined ? {} : { image }) });
  const hello = async (image: SandboxImage): Promise<string> => {
    await using sandbox = await start(image);
    return text((await sandbox.exec(['echo', 'hello'])).stdout);
  };

  assert.equal(await hello({ kind: 'tarball', path: tarball, sha256 }), 'hello\n');
  const digest = execFileSync('podman', [...podman, 'image', 'inspect', '--format', '{{.Digest}}', `localhost/clawhold-image:${sha256}`], {
    encoding: 'utf8',
  });
  assert.equal(await hello({ kind: 'name', reference: `localhost/clawhold-image@${digest.trim()}` }), 'hello\n');
  await assert.rejects(start({ kind: 'name', reference: `localhost/clawhold-image:${sha256}` }), SandboxRequestError);
  await assert.rejects(start({ kind: 'name', reference: `localhost/other@sha256:${'0'.repeat(64)}` }), SandboxUnavailableError);
  appendFileSync(tarball, 'x');
  await assert.rejects(start({ kind: 'tarball', path: tarball, sha256: '0'.repeat(64) }), SandboxUnavailableError);
  await assert.rejects(start(), SandboxRequestError);
  await assert.rejects(start({ kind: 'rootfs', path: '/no/such' }), SandboxUnavailableError);
});

test('a warm sandbox is used once, and not after a repository appeared in its workspace', { skip, timeout: 60_000 }, async (t) => {
  const workspace = newWorkspace(owner, '/bin/true');
  t.after(() => rmSync(workspace, { recursive: true, force: true }));
  const driver = openBwrap({ runtimeDir: path.join(folder, 'runtime') });
  await using pool = openPool({ bounds: () => ({ maxWarm: 1, maxMemoryBytes: 2 ** 30, maxAgeMs: 60_000 }), now: () => Date.now() });
  const spec = { label: 'pool', workspace, limits: {}, network: 'none' as const };
  await pool.warm(driver, spec);

  mkdirSync(path.join(workspace, '.git/hooks'), { recursive: true });
  const first = await pool.acquire(driver, spec);
  await first.sandbox.exec(['true']);
  await first.sandbox.stop();
  await pool.warm(driver, spec);
  const second = await pool.acquire(driver, spec);
  await second.sandbox.stop();

  assert.deepEqual([first.warm, second.warm], [false, true]);
  await assert.rejects(first.sandbox.exec(['true']), /is gone/);
});
