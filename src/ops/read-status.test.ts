import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, newSessionId, newTaskId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { openDatabase } from '../state/database.ts';
import { createHome, type Home } from '../state/home.ts';
import { openQueue } from '../state/open-queue.ts';
import { openRuns } from '../state/runs.ts';
import { claimServe } from '../state/serve-file.ts';
import { openTenants } from '../state/tenants.ts';
import { readStatus, type StatusContext } from './read-status.ts';

const nowMs = Date.parse('2026-05-06T12:00:00Z');

function contextOf(home: Home, change: Partial<StatusContext> = {}): StatusContext {
  return { home, nowMs, runtimeDir: path.join(home.root, 'runtime'), get: async () => ({ status: 200, text: '' }), ...change };
}

async function twoTenants(): Promise<Home> {
  const home = createHome(fs.mkdtempSync(path.join(os.tmpdir(), 'status-')));
  const tenants = openTenants(home);
  await tenants.create(parseTenantId('acme'), { version: 1, quotas: { concurrentRuns: 2, usdPerDay: 5 } });
  await tenants.create(parseTenantId('globex'), { version: 1, state: 'suspended' });
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: { now: () => nowMs - 3_600_000 } });
  for (let n = 0; n < 3; n += 1) {
    const names = {
      tenant_id: 'acme',
      swarm_id: 's',
      agent_type: 'agent',
      shard_id: 0,
      task_id: newTaskId(nowMs + n),
      idempotency_key: `k${n}`,
    };
    await queue.put([{ message: { ...names, payload: {} } }]);
  }
  using database = openDatabase(home.databaseFile);
  const put = (state: 'done' | 'running' | 'waiting', costMicroUsd: number): void =>
    openRuns(database).insert({
      id: newRunId(nowMs),
      session: newSessionId(nowMs),
      tenant: parseTenantId('acme'),
      agent: parseAgentId('main'),
      state: 'running',
      door: 'http',
      model: 'm',
      inputPreview: '',
      reason: state,
      createdMs: nowMs - 1000,
      turns: 1,
      toolCalls: 0,
      inputTokens: 0,
      outputTokens: 0,
      ...(costMicroUsd === 0 ? {} : { costMicroUsd }),
    });
  put('running', 0);
  put('done', 0);
  const [first, second] = openRuns(database).list();
  openRuns(database).update(first?.id ?? newRunId(0), { state: 'waiting' });
  openRuns(database).update(second?.id ?? newRunId(0), { state: 'done', endedMs: nowMs, costMicroUsd: 6_000_000 });
  put('running', 0);
  return home;
}

test('an operator sees two tenants with their quota use, sandboxes and failure conditions', async () => {
  const home = await twoTenants();

  const report = await readStatus(contextOf(home));

  const [platform, acme, globex] = report.tenants;
  assert.deepEqual(
    report.tenants.map(({ tenant, state }) => [tenant, state]),
    [
      ['default', 'active'],
      ['acme', 'active'],
      ['globex', 'suspended'],
    ],
  );
  assert.deepEqual([acme?.ready, acme?.running, acme?.waiting, acme?.startedToday, acme?.usdToday, acme?.sandboxes], [3, 1, 1, 3, 6, 0]);
  assert.deepEqual(acme?.conditions, [
    'the budget of the day is spent: 6.00 of 5.00 USD',
    'at its quota of concurrent runs: 3 of 2',
    'a task has waited for 60 minutes',
    '1 run waits for a human: clawhold approvals list',
  ]);
  assert.deepEqual([platform?.conditions, globex?.conditions], [[], ['suspended: nothing starts']]);
  assert.deepEqual(
    report.runs.map(({ state, tenant }) => [state, tenant]),
    [['running', 'acme']],
  );
});

test('a tenant sees itself alone', async () => {
  const home = await twoTenants();

  const report = await readStatus(contextOf(home, { tenant: parseTenantId('globex') }));

  assert.deepEqual(
    report.tenants.map(({ tenant }) => tenant),
    ['globex'],
  );
  assert.deepEqual(report.runs, []);
});

test('a server is not running, ready, or not ready with the reason', async () => {
  const home = createHome(fs.mkdtempSync(path.join(os.tmpdir(), 'status-')));
  const stateOf = async (get?: StatusContext['get']): Promise<unknown> => {
    const { server } = await readStatus(contextOf(home, get === undefined ? {} : { get }));
    return [server.state, server.why];
  };
  const before = await stateOf();
  await using claim = claimServe(home.dir);
  const silent = await stateOf();
  await claim?.announce({ pid: process.pid, url: 'http://127.0.0.1:1', startedMs: 1, version: '0' });

  assert.deepEqual(before, ['not-running', undefined]);
  assert.deepEqual(silent, ['not-ready', 'it has not said yet where it listens']);
  assert.deepEqual(await stateOf(), ['ready', undefined]);
  assert.deepEqual(await stateOf(async () => ({ status: 503, text: 'queue' })), ['not-ready', 'queue']);
  assert.deepEqual(await stateOf(async () => await Promise.reject(new Error('refused'))), ['not-ready', 'refused']);
});

test('the executors of a server are told with what they hold, whether they are its own or child processes', async () => {
  const home = await twoTenants();
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: { now: () => nowMs } });
  await queue.lease({ worker: 'one', leaseMs: 60_000, max: 2 });
  const executors = async (): Promise<unknown> => (await readStatus(contextOf(home))).executors;
  const facts = { pid: process.pid, url: 'http://127.0.0.1:1', startedMs: 1, version: '0' };

  const without = await executors();
  await using claim = claimServe(home.dir);
  await claim?.announce({ ...facts, executorSlots: 8 });
  const own = await executors();
  await claim?.announce({ ...facts, executorSlots: 2, executorPids: [11, 12] });

  assert.deepEqual(without, { busy: 2, pids: [] });
  assert.deepEqual(own, { busy: 2, slots: 8, pids: [] });
  assert.deepEqual(await executors(), { busy: 2, slots: 2, pids: [11, 12] });
});

test('looking makes no file and changes none', async () => {
  const home = await twoTenants();
  const bytes = (): string[] =>
    fs
      .readdirSync(home.dir)
      .filter((name) => !/-(wal|shm)$/.test(name))
      .map((name) => `${name} ${fs.statSync(path.join(home.dir, name)).mtimeMs}`);
  const before = bytes();

  await readStatus(contextOf(home));

  assert.deepEqual(bytes(), before);
});
