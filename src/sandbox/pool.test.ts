import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { openNone } from './none.ts';
import { poolDriver } from './pool-driver.ts';
import { openPool, type PoolBounds, type PoolOptions, type SandboxPool } from './pool.ts';
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

interface TestPool extends AsyncDisposable {
  acquire(asked: SandboxSpec): ReturnType<SandboxPool['acquire']>;
  warm(asked: SandboxSpec): Promise<void>;
  count(): number;
}

function pool(driver: SandboxDriver, change: Partial<PoolBounds & PoolOptions> = {}): TestPool {
  const { maxWarm = 2, maxMemoryBytes = 1000, maxAgeMs = 100_000, ...other } = change;
  const opened = openPool({ bounds: () => ({ maxWarm, maxMemoryBytes, maxAgeMs }), refillAfterMs: 1, now: () => 0, ...other });
  return {
    acquire: async (asked) => await opened.acquire(driver, asked),
    warm: async (asked) => await opened.warm(driver, asked),
    count: () => opened.warmCount,
    [Symbol.asyncDispose]: async () => await opened[Symbol.asyncDispose](),
  };
}

async function settle(): Promise<void> {
  await sleep(20);
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
  await using warm = pool(driver, { now: () => nowMs, maxAgeMs: 100 });
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
  assert.equal(byMemory.count(), 1);
});

test('bounds that were lowered hold from the next start on, and 0 warms nothing', async () => {
  const driver = countingDriver();
  const bounds = { maxWarm: 2, maxMemoryBytes: 1000, maxAgeMs: 100_000 };
  await using warm = openPool({ bounds: () => bounds, refillAfterMs: 1, now: () => 0 });
  for (const workspace of ['/a', '/b']) await warm.warm(driver, { ...spec, workspace });
  assert.equal(warm.warmCount, 2);

  bounds.maxWarm = 0;
  const { warm: isWarm } = await warm.acquire(driver, { ...spec, workspace: '/b' });
  await settle();

  assert.deepEqual([isWarm, warm.warmCount, driver.started.length], [false, 0, 3]);
});

test('closing stops everything that is warm, also what is being started', async () => {
  const driver = countingDriver();
  const warm = pool(driver);
  await warm.warm(spec);
  void warm.warm({ ...spec, workspace: '/b' });

  await warm[Symbol.asyncDispose]();
  await settle();

  assert.deepEqual(
    driver.started.map(({ isStopped }) => isStopped),
    [true, true],
  );
  await assert.rejects(warm.acquire(spec), /pool is closed/);
});

test('one that nobody asks for is stopped when it is old, without anybody asking', async () => {
  const driver = countingDriver();
  await using warm = pool(driver, { maxAgeMs: 10 });
  await warm.warm(spec);

  while (!driver.started[0]!.isStopped) await settle();

  assert.equal(warm.count(), 0);
});

test('the next is not started while the one that was handed out gets its first command', async () => {
  const driver = countingDriver();
  await using warm = pool(driver, { refillAfterMs: 60_000 });

  await warm.acquire(spec);
  await settle();

  assert.equal(driver.started.length, 1);
});

test('a driver of a pool takes warm ones only for a spec that will be asked for again', async () => {
  const driver = countingDriver();
  const bounds = { maxWarm: 2, maxMemoryBytes: 1000, maxAgeMs: 100_000 };
  const opened = openPool({ bounds: () => bounds, refillAfterMs: 1, now: () => 0 });
  await using warm = opened;
  const pooled = poolDriver({ driver, pool: opened, probeMs: 1000, now: () => 0 });

  await pooled.start(spec);
  await settle();
  assert.equal(warm.warmCount, 0);
  const first = await pooled.start(spec, { again: true });
  await settle();
  const second = await pooled.start(spec, { again: true });

  assert.equal(driver.started.length, 3);
  assert.notEqual(first, second);
});

test('a driver of a pool is probed again after a while, and at once when it did not work', async () => {
  const driver = countingDriver();
  let nowMs = 0;
  let probes = 0;
  let works = false;
  const probe: SandboxDriver['probe'] = async () => {
    probes += 1;
    const about = { driver: 'counting', isolation: 'none' as const };
    return await Promise.resolve(
      works
        ? { works: true, ...about, version: '1', limits: {}, features: [], notes: [] }
        : { works: false, ...about, reason: 'it is broken', remedy: 'Repair it' },
    );
  };
  await using opened = openPool({ bounds: () => ({ maxWarm: 2, maxMemoryBytes: 1000, maxAgeMs: 1000 }), now: () => 0 });
  const pooled = poolDriver({ driver: { ...driver, probe }, pool: opened, probeMs: 100, now: () => nowMs });

  const before = [(await pooled.probe()).works, (await pooled.probe()).works];
  works = true;
  const after = [(await pooled.probe()).works, (await pooled.probe()).works];
  nowMs = 101;
  await pooled.probe();

  assert.deepEqual([before, after, probes], [[false, false], [true, true], 4]);
});
