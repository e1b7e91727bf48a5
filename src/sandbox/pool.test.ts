import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { openNone } from './none.ts';
import { openPool, type PoolOptions } from './pool.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from './sandbox.ts';

const spec: SandboxSpec = { label: 'run-1', workspace: '/w', limits: { pids: 5 }, network: 'none' };

/** A driver whose sandboxes only remember whether they live: the pool never executes anything itself. */
function countingDriver(): SandboxDriver & { readonly started: (Sandbox & { isStopped: boolean; fresh: boolean })[] } {
  const started: (Sandbox & { isStopped: boolean; fresh: boolean })[] = [];
  const start = async (asked: SandboxSpec): Promise<Sandbox> => {
    const sandbox = {
      id: `s${started.length}`,
      driver: 'counting',
      label: asked.label,
      isStopped: false,
      fresh: true,
      exec: async () => Promise.reject(new Error('not asked for')),
      copyIn: async () => Promise.resolve(),
      copyOut: async () => Promise.resolve(),
      isFresh: async () => Promise.resolve(sandbox.fresh && !sandbox.isStopped),
      stop: async () => {
        sandbox.isStopped = true;
        await Promise.resolve();
      },
      [Symbol.asyncDispose]: async () => sandbox.stop(),
    };
    started.push(sandbox);
    return Promise.resolve(sandbox);
  };
  const none = openNone();
  return { ...none, name: 'counting', capabilities: { ...none.capabilities, idleMemoryBytes: 10 }, start, started };
}

function pool(driver: SandboxDriver, change: Partial<PoolOptions> = {}): ReturnType<typeof openPool> {
  return openPool({ driver, maxWarm: 2, maxMemoryBytes: 1000, maxAgeMs: 100, now: () => 0, ...change });
}

async function settle(): Promise<void> {
  for (let i = 0; i < 5; i += 1) await turn();
}

test('a sandbox is handed out once, and another is warmed for the same spec', async () => {
  const driver = countingDriver();
  await using warm = pool(driver);

  const first = await warm.acquire(spec);
  await settle();
  const second = await warm.acquire({ ...spec, label: 'run-2' });

  assert.deepEqual([first.warm, second.warm], [false, true]);
  assert.notEqual(first.sandbox, second.sandbox);
});

test('a warm sandbox serves only an equal spec', async () => {
  const driver = countingDriver();
  await using warm = pool(driver);
  await warm.warm(spec);

  for (const other of [
    { ...spec, workspace: '/other' },
    { ...spec, limits: { pids: 6 } },
    { ...spec, network: { egressSocketDir: '/e' } },
    { ...spec, env: { A: '1' } },
    { ...spec, masks: [{ path: 'a', mode: 'hidden' as const }] },
  ]) {
    assert.equal((await warm.acquire(other)).warm, false);
  }
});

test('a warm sandbox that is too old or no longer fits its workspace is stopped and not handed out', async () => {
  const driver = countingDriver();
  let nowMs = 0;
  await using warm = pool(driver, { now: () => nowMs });
  await warm.warm(spec);
  nowMs = 101;

  assert.equal((await warm.acquire(spec)).warm, false);
  await settle();
  driver.started.at(-1)!.fresh = false;
  assert.equal((await warm.acquire(spec)).warm, false);
  await settle();
  assert.ok(driver.started[0]!.isStopped);
});

test('number and memory bound what is warm; the oldest goes first', async () => {
  const driver = countingDriver();
  await using byNumber = pool(driver);
  for (const workspace of ['/a', '/b', '/c']) await byNumber.warm({ ...spec, workspace });
  await settle();
  const small = countingDriver();
  await using byMemory = pool(small, { maxMemoryBytes: 19 });
  for (const workspace of ['/a', '/b', '/c']) await byMemory.warm({ ...spec, workspace });
  await settle();

  assert.deepEqual(
    driver.started.map(({ isStopped }) => isStopped),
    [true, false, false],
  );
  assert.equal(byMemory.warmCount, 1);
});

test('closing stops everything that is warm, also what is being started', async () => {
  const driver = countingDriver();
  const warm = pool(driver);
  const { sandbox } = await warm.acquire(spec);

  await warm[Symbol.asyncDispose]();

  assert.deepEqual(
    driver.started.filter((one) => one !== sandbox).map(({ isStopped }) => isStopped),
    [true],
  );
  await assert.rejects(warm.acquire(spec), /pool is closed/);
});
