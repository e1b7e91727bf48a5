import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import { silentLog } from '../contracts/log.ts';
import type { Quotas } from '../contracts/tenant.ts';
import { holdSandbox, type HoldSandboxContext } from '../control/hold-sandbox.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from '../sandbox/sandbox.ts';
import { openDatabase } from '../state/database.ts';
import { createHome } from '../state/home.ts';
import { openSandboxHolds } from '../state/sandbox-holds.ts';
import { openTenants } from '../state/tenants.ts';
import { countedDriver, type SandboxFact } from './quota-sandboxes.ts';

const acme = parseTenantId('acme');
const beta = parseTenantId('beta');
const noon = Date.UTC(2026, 0, 1, 12);
const spec: SandboxSpec = { label: 'run', workspace: '/tmp', limits: { cpus: 0.5, memoryBytes: 256 * 2 ** 20 }, network: 'none' };

/** A driver whose sandboxes are nothing, so that counting can be seen without a kernel's help. */
function emptyDriver(started: string[], fails = false): SandboxDriver {
  const unused = async (): Promise<never> => await Promise.reject(new Error('unused'));
  return {
    name: 'empty',
    capabilities: {} as SandboxDriver['capabilities'],
    probe: unused,
    start: async ({ label }) => {
      if (fails) throw new Error('no kernel');
      started.push(label);
      const stop = async (): Promise<void> => {};
      return {
        id: label,
        driver: 'empty',
        label,
        exec: unused,
        copyIn: unused,
        copyOut: unused,
        isFresh: unused,
        stop,
        [Symbol.asyncDispose]: stop,
      } satisfies Sandbox;
    },
    [Symbol.asyncDispose]: async () => {},
  };
}

interface World extends Disposable {
  readonly ctx: HoldSandboxContext;
  readonly file: string;
  nowMs: number;
}

async function newWorld(quotas: Quotas): Promise<World> {
  const home = createHome(fs.mkdtempSync(path.join(os.tmpdir(), 'holds-')));
  const database = openDatabase(home.databaseFile);
  const tenants = openTenants(home);
  await tenants.create(acme, { version: 1, quotas });
  await tenants.create(beta, { version: 1, quotas });
  const world: World = {
    ctx: { clock: { now: () => world.nowMs }, log: silentLog, tenants, holds: openSandboxHolds(database) },
    file: home.databaseFile,
    nowMs: noon,
    [Symbol.dispose]: () => database[Symbol.dispose](),
  };
  return world;
}

test('a quota of 2 blocks the third sandbox, names quota, limit and use, and a stopped one makes room', async () => {
  using world = await newWorld({ sandboxes: 2 });
  const started: string[] = [];
  const driver = countedDriver(emptyDriver(started), world.ctx, acme);

  const first = await driver.start({ ...spec, label: 'one' });
  await driver.start({ ...spec, label: 'two' });
  await assert.rejects(driver.start({ ...spec, label: 'three' }), {
    code: 'sandbox.unavailable',
    message: /Tenant acme may have 2 sandboxes at the same time and has 2, .*\(quota sandboxes\)/,
  });
  await first.stop();
  await first.stop();
  await driver.start({ ...spec, label: 'four' });
  await assert.rejects(driver.start({ ...spec, label: 'five' }), { code: 'sandbox.unavailable' });

  assert.deepEqual(started, ['one', 'two', 'four']);
});

test('another tenant’s sandboxes do not count, another process’s do', async () => {
  using world = await newWorld({ sandboxes: 1 });
  using other = openDatabase(world.file);
  const elsewhere: HoldSandboxContext = { ...world.ctx, holds: openSandboxHolds(other) };

  assert.equal(holdSandbox(world.ctx, { tenant: acme, run: 'a' }).outcome, 'held');
  assert.equal(holdSandbox(elsewhere, { tenant: acme, run: 'b' }).outcome, 'refused');
  assert.equal(holdSandbox(elsewhere, { tenant: beta, run: 'c' }).outcome, 'held');
});

test('cores and memory are summed; what has no limit of its own counts as all of the quota', async () => {
  using world = await newWorld({ sandboxCpu: 1, sandboxMemoryMb: 1024 });
  const take = (wish: { readonly cpu?: number; readonly memoryMb?: number }) => holdSandbox(world.ctx, { tenant: acme, run: 'a', ...wish });

  const half = take({ cpu: 0.5, memoryMb: 512 });
  const tooMuchCpu = take({ cpu: 0.6, memoryMb: 1 });
  const tooMuchMemory = take({ cpu: 0.1, memoryMb: 513 });
  const unlimited = take({});
  if (half.outcome === 'held') half[Symbol.dispose]();

  assert.deepEqual(
    [tooMuchCpu, tooMuchMemory, unlimited].map((one) => one.outcome === 'refused' && one.quota),
    [
      { name: 'sandboxCpu', limit: 1, used: 0.5 },
      { name: 'sandboxMemoryMb', limit: 1024, used: 512 },
      { name: 'sandboxCpu', limit: 1, used: 0.5 },
    ],
  );
  assert.equal(take({}).outcome, 'held');
});

test('what a dead process held is free when its lease has run out, and not before', async () => {
  using world = await newWorld({ sandboxes: 1 });
  const dead = { tenant: acme, run: 'dead', cpu: 0, memoryMb: 0, untilMs: noon + 60_000 };
  world.ctx.holds.take(dead, noon, () => true);

  world.nowMs = noon + 59_999;
  const before = holdSandbox(world.ctx, { tenant: acme, run: 'b' }).outcome;
  world.nowMs = noon + 60_000;
  const after = holdSandbox(world.ctx, { tenant: acme, run: 'b' }).outcome;

  assert.deepEqual([before, after], ['refused', 'held']);
});

test('a hold that is renewed stays, also when it had run out in between', async () => {
  using world = await newWorld({ sandboxes: 1 });
  const row = world.ctx.holds.take({ tenant: acme, run: 'slow', cpu: 0, memoryMb: 0, untilMs: noon + 60_000 }, noon, () => true)!;
  world.nowMs = noon + 120_000;

  world.ctx.holds.extend(row, world.nowMs + 60_000);

  assert.equal(holdSandbox(world.ctx, { tenant: acme, run: 'b' }).outcome, 'refused');
  assert.deepEqual(world.ctx.holds.use(acme, world.nowMs), { sandboxes: 1, cpu: 0, memoryMb: 0 });
});

test('a sandbox that did not start holds nothing', async () => {
  using world = await newWorld({ sandboxes: 1 });

  await assert.rejects(countedDriver(emptyDriver([], true), world.ctx, acme).start(spec), /no kernel/);

  assert.equal(world.ctx.holds.use(acme, noon).sandboxes, 0);
});

test('whoever writes the log is told which sandbox serves which run, and when it is let go', async () => {
  using world = await newWorld({ sandboxes: 1 });
  const facts: SandboxFact[] = [];
  const driver = countedDriver(emptyDriver([]), { ...world.ctx, listener: (fact) => void facts.push(fact) }, acme);

  const sandbox = await driver.start({ ...spec, label: 'run_1' });
  await assert.rejects(driver.start({ ...spec, label: 'run_2' }));
  await sandbox.stop();
  await sandbox.stop();

  const fact = { tenant: acme, run: 'run_1', sandbox: 'run_1' };
  assert.deepEqual(facts, [
    { what: 'started', ...fact },
    { what: 'stopped', ...fact },
  ]);
});
