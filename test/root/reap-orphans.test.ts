import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { newWorkspace } from '../../src/sandbox/conformance.ts';
import { reapOrphans } from '../../src/sandbox/reap-orphans.ts';
import { makeRootfs } from './make-rootfs.ts';
import { whyNot } from './needs.ts';

const skip = whyNot('bwrap', 'podman', 'runc', 'busybox', 'gcc');

async function holdSandbox(t: TestContext, driver: 'bwrap' | 'oci', owner: number | undefined) {
  const folder = mkdtempSync(path.join(tmpdir(), 'reap-'));
  chmodSync(folder, 0o711);
  const runtimeDir = path.join(folder, 'runtime');
  const seconds = 100_000 + Math.floor(Math.random() * 900_000);
  const workspace = newWorkspace(owner, '/bin/true');
  mkdirSync(path.join(workspace, 'kept'));
  if (owner !== undefined) chownSync(path.join(workspace, 'kept'), owner, owner);
  const storage = { root: path.join(folder, 'root'), runRoot: path.join(folder, 'run') };
  const options = driver === 'oci' ? { runtimeDir, storage, image: { kind: 'rootfs', path: makeRootfs(folder) } } : { runtimeDir };
  const spec = {
    label: 'orphan',
    workspace,
    limits: { pids: 50, memoryBytes: 2 ** 28 },
    network: 'none',
    env: { SECONDS_TO_SLEEP: String(seconds) },
  };
  const child = spawn(process.execPath, [path.join(import.meta.dirname, 'start-and-wait.ts'), JSON.stringify({ driver, options, spec })], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.after(() => {
    child.kill('SIGKILL');
    if (driver === 'oci')
      execFileSync('podman', ['--root', storage.root, '--runroot', storage.runRoot, 'system', 'reset', '--force'], { stdio: 'ignore' });
    rmSync(folder, { recursive: true, force: true });
    rmSync(workspace, { recursive: true, force: true });
  });
  const id = await firstLine(child);
  return { child, id, runtimeDir, workspace, storage, isRunning: () => isInProcessList(`sleep ${seconds}`) };
}

async function firstLine(child: ChildProcess): Promise<string> {
  return await new Promise((resolve, reject) => {
    child.stdout?.once('data', (bytes: Buffer) => resolve(String(bytes).trim()));
    child.once('exit', () => reject(new Error('it ended before it had a sandbox')));
  });
}

/** A boolean: a failed assertion must not print what else runs here. */
function isInProcessList(words: string): boolean {
  return execFileSync('ps', ['axww', '-o', 'args'], { encoding: 'utf8' }).includes(words);
}

/** An engine's own monitor ends a little after its container. */
async function gone(words: string): Promise<void> {
  for (let waits = 0; waits < 500 && isInProcessList(words); waits += 1) await sleep(20);
  assert.equal(isInProcessList(words), false);
}

function traces(id: string): string[] {
  const groups = execFileSync('find', ['/sys/fs/cgroup', '-maxdepth', '4', '-name', `*${id}*`], { encoding: 'utf8' });
  return groups.split('\n').filter((line) => line !== '');
}

for (const driver of ['bwrap', 'oci'] as const) {
  for (const owner of [12_345, undefined]) {
    const whose = owner === undefined ? 'root' : 'a user';
    test(
      `${driver}, workspace of ${whose}: nothing remains of a sandbox whose process was killed, after the next start`,
      { skip, timeout: 120_000 },
      async (t) => {
        const { child, id, runtimeDir, workspace, storage, isRunning } = await holdSandbox(t, driver, owner);
        assert.deepEqual((await reapOrphans(runtimeDir)).reaped, []);
        const ended = new Promise((resolve) => child.once('close', resolve));

        child.kill('SIGKILL');
        await ended;
        const report = await reapOrphans(runtimeDir);

        assert.deepEqual(report, { reaped: [id], failed: [] });
        assert.deepEqual(readdirSync(path.join(runtimeDir, 'live')), []);
        assert.deepEqual(traces(id), []);
        assert.equal(existsSync(path.join(workspace, '.clawhold')), false);
        assert.equal(existsSync(path.join(workspace, '.git/hooks')), false);
        assert.ok(existsSync(path.join(workspace, 'kept')));
        assert.equal(isRunning(), false);
        await gone(id);
        if (driver === 'oci')
          assert.equal(
            execFileSync('podman', ['--root', storage.root, '--runroot', storage.runRoot, 'ps', '-aq'], { encoding: 'utf8' }),
            '',
          );
        if (existsSync(path.join(runtimeDir, 'uids'))) assert.deepEqual(readdirSync(path.join(runtimeDir, 'uids')), []);
      },
    );
  }
}

test('the commands of a killed process die with it, before anything is reaped', { skip, timeout: 60_000 }, async (t) => {
  const { child, id, runtimeDir, isRunning } = await holdSandbox(t, 'bwrap', 12_345);
  assert.ok(isRunning());

  child.kill('SIGKILL');
  for (let waits = 0; waits < 100 && isRunning(); waits += 1) await sleep(20);

  assert.equal(isRunning(), false);
  assert.notDeepEqual(traces(id), []);
  await reapOrphans(runtimeDir);
  assert.deepEqual(traces(id), []);
});
