import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openBwrap } from '../../src/sandbox/bwrap.ts';
import { newWorkspace, text } from '../../src/sandbox/conformance.ts';
import { listSandboxes, reapOrphans } from '../../src/sandbox/reap-orphans.ts';
import type { SandboxDriver, SandboxSpec } from '../../src/sandbox/sandbox.ts';
import { whyNot } from './needs.ts';

const skip = whyNot('bwrap') ?? false;
const owner = 12_345;

interface Kept {
  readonly id: string;
  readonly pid: number;
  readonly cgroups: readonly string[];
}

function newPlace(t: TestContext): { runtimeDir: string; spec: SandboxSpec } {
  const folder = mkdtempSync(path.join(tmpdir(), 'ahead-'));
  chmodSync(folder, 0o711);
  const workspace = newWorkspace(owner, '/bin/true');
  t.after(() => [folder, workspace].map((one) => rmSync(one, { recursive: true, force: true })));
  return { runtimeDir: path.join(folder, 'runtime'), spec: { label: 'ahead', workspace, limits: { pids: 20 }, network: 'none' } };
}

/** The bwrap that waits for its options, once there is one. */
async function keptIn(runtimeDir: string): Promise<Kept> {
  for (;;) {
    for (const name of readdirSync(path.join(runtimeDir, 'live')).filter((id) => id.startsWith('bwrap-'))) {
      const file = path.join(runtimeDir, 'live', name, 'record.json');
      const record = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : undefined;
      if (record?.driver === 'stock' && record.processes.length === 1)
        return { id: name, pid: record.processes[0].pid, cgroups: record.cgroups };
    }
    await sleep(20);
  }
}

async function startAndStop(driver: SandboxDriver, spec: SandboxSpec): Promise<string> {
  await using sandbox = await driver.start(spec);
  assert.equal(text((await sandbox.exec(['cat', '/proc/self/cgroup'])).stdout) === '', false);
  return sandbox.id;
}

test('the third sandbox of a process is one that was begun ahead, with its own limits; nobody lists it before', { skip }, async (t) => {
  const { runtimeDir, spec } = newPlace(t);
  const driver = openBwrap({ runtimeDir });
  await startAndStop(driver, spec);
  await startAndStop(driver, spec);
  const kept = await keptIn(runtimeDir);
  const listed = await listSandboxes(runtimeDir);

  await using sandbox = await driver.start({ ...spec, limits: { pids: 7 } });
  const group = kept.cgroups.find((folder) => existsSync(path.join(folder, 'pids.max'))) ?? '';

  assert.deepEqual([sandbox.id, listed], [kept.id, []]);
  assert.deepEqual(
    (await listSandboxes(runtimeDir)).map(({ id, driver: by, label }) => [id, by, label]),
    [[kept.id, 'bwrap', 'ahead']],
  );
  assert.equal(readFileSync(path.join(group, 'pids.max'), 'utf8').trim(), '10');
  await sandbox.stop();
  await driver[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(path.join(runtimeDir, 'live')), []);
});

test('one that was killed while it waited is not used, and the next start makes its own', { skip }, async (t) => {
  const { runtimeDir, spec } = newPlace(t);
  const driver = openBwrap({ runtimeDir });
  await startAndStop(driver, spec);
  await startAndStop(driver, spec);
  const kept = await keptIn(runtimeDir);

  process.kill(kept.pid, 'SIGKILL');
  await sleep(100);
  const next = await startAndStop(driver, spec);

  assert.notEqual(next, kept.id);
  await driver[Symbol.asyncDispose]();
  assert.deepEqual(readdirSync(path.join(runtimeDir, 'live')), []);
  for (const folder of kept.cgroups) assert.equal(existsSync(folder), false, folder);
});

test('one whose process of Clawhold was killed ends by itself, has run nothing, and is taken away unmentioned', { skip }, async (t) => {
  const { runtimeDir, spec } = newPlace(t);
  const script = `
    const { openBwrap } = await import(${JSON.stringify(path.join(import.meta.dirname, '../../src/sandbox/bwrap.ts'))});
    const driver = openBwrap({ runtimeDir: ${JSON.stringify(runtimeDir)} });
    for (let i = 0; i < 2; i += 1) await (await driver.start(${JSON.stringify(spec)})).stop();
    setInterval(() => {}, 1000);
    console.log('started');`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  await once(child.stdout, 'data');
  const kept = await keptIn(runtimeDir);
  assert.equal(readFileSync(`/proc/${kept.pid}/comm`, 'utf8'), 'bwrap\n');
  assert.equal(readFileSync(`/proc/${kept.pid}/status`, 'utf8').match(/^Uid:\s+(\d+)/m)?.[1], String(owner));

  child.kill('SIGKILL');
  await once(child, 'close');
  for (let waits = 0; waits < 200 && existsSync(`/proc/${kept.pid}/root`); waits += 1) await sleep(20);
  const { reaped, failed } = await reapOrphans(runtimeDir);

  assert.equal(existsSync(`/proc/${kept.pid}/exe`), false);
  assert.deepEqual([reaped, failed, readdirSync(path.join(runtimeDir, 'live'))], [[], [], []]);
  for (const folder of kept.cgroups) assert.equal(existsSync(folder), false, folder);
  assert.deepEqual(readdirSync(spec.workspace), ['attack']);
});

test('a process with a sandbox kept ahead ends when it has nothing else to do', { skip }, async (t) => {
  const { runtimeDir, spec } = newPlace(t);
  const script = `
    const { openBwrap } = await import(${JSON.stringify(path.join(import.meta.dirname, '../../src/sandbox/bwrap.ts'))});
    const driver = openBwrap({ runtimeDir: ${JSON.stringify(runtimeDir)} });
    for (let i = 0; i < 2; i += 1) await (await driver.start(${JSON.stringify(spec)})).stop();
    await new Promise((resolve) => setTimeout(resolve, 400));`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['ignore', 'pipe', 'inherit'] });

  const [code] = await once(child, 'close');

  assert.equal(code, 0);
  await reapOrphans(runtimeDir);
});
