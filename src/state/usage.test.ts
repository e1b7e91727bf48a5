import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { openDatabase, type Database } from './database.ts';
import { createHome, type Home } from './home.ts';
import { openRuns, type RunRow } from './runs.ts';
import { openUsage, type Usage } from './usage.ts';

const acme = parseTenantId('acme');
const beta = parseTenantId('beta');
const noon = Date.UTC(2026, 0, 1, 12);
const day = 86_400_000;

interface World extends Disposable {
  readonly home: Home;
  readonly database: Database;
  readonly usage: Usage;
  nowMs: number;
}

function newWorld(): World {
  const home = createHome(fs.mkdtempSync(path.join(os.tmpdir(), 'usage-')));
  const database = openDatabase(home.databaseFile);
  const world: World = {
    home,
    database,
    nowMs: noon,
    usage: openUsage({ database, home, clock: { now: () => world.nowMs } }),
    [Symbol.dispose]: () => database[Symbol.dispose](),
  };
  return world;
}

function row(change: Partial<RunRow> = {}): RunRow {
  return {
    id: newRunId(noon),
    session: newSessionId(noon),
    tenant: acme,
    agent: parseAgentId('main'),
    state: 'running',
    door: 'http',
    model: 'a/b',
    inputPreview: '',
    reason: '',
    createdMs: noon,
    turns: 0,
    toolCalls: 0,
    inputTokens: 0,
    outputTokens: 0,
    ...change,
  };
}

test('what a run cost is counted once, for its tenant, on the day on which it ended', () => {
  using world = newWorld();
  const runs = openRuns(world.database);
  const one = row();
  runs.insert(one);

  runs.update(one.id, { costMicroUsd: 300, endedMs: noon });
  runs.update(one.id, { costMicroUsd: 300, endedMs: noon });
  runs.update(one.id, { state: 'done' });

  assert.deepEqual(
    [world.usage.costMicroUsd(acme, noon), world.usage.costMicroUsd(beta, noon), world.usage.costMicroUsd(acme, noon + day)],
    [300, 0, 0],
  );
});

test('a run that goes on another day adds there only what it cost more', () => {
  using world = newWorld();
  const runs = openRuns(world.database);
  const one = row();
  runs.insert(one);
  runs.update(one.id, { costMicroUsd: 300, endedMs: noon });

  runs.update(one.id, { endedMs: null, state: 'running' });
  runs.update(one.id, { costMicroUsd: 500, endedMs: noon + day });

  assert.deepEqual([world.usage.costMicroUsd(acme, noon), world.usage.costMicroUsd(acme, noon + day)], [300, 200]);
});

test('rows that are made again from their files are not counted twice, and lost ones are counted', () => {
  using world = newWorld();
  const runs = openRuns(world.database);
  const ended = row({ costMicroUsd: 300, endedMs: noon });
  runs.put(ended);
  runs.put(ended);
  const other = row({ costMicroUsd: 50, endedMs: noon });
  runs.insert(other);
  runs.put(other);

  assert.equal(world.usage.costMicroUsd(acme, noon), 350);
});

test('a run that cost nothing touches no day, and what it costs later is counted', () => {
  using world = newWorld();
  const runs = openRuns(world.database);
  const days = (): unknown[] => world.database.all('SELECT * FROM tenant_days');
  const one = row({ costMicroUsd: 0, endedMs: noon });
  runs.put(one);
  runs.update(one.id, { costMicroUsd: 0 });
  const untouched = days();

  runs.update(one.id, { costMicroUsd: 7 });
  runs.update(one.id, { costMicroUsd: 5 });

  assert.deepEqual([untouched, world.usage.costMicroUsd(acme, noon)], [[], 7]);
});

test('pruning a run does not give its money back', () => {
  using world = newWorld();
  const runs = openRuns(world.database);
  const one = row({ costMicroUsd: 300, endedMs: noon });
  runs.insert(one);

  runs.remove(one.id);

  assert.equal(world.usage.costMicroUsd(acme, noon), 300);
});

test('requests add up by tenant and day', () => {
  using world = newWorld();

  world.usage.addRequests(acme, 3, noon);
  world.usage.addRequests(acme, 4, noon);
  world.usage.addRequests(beta, 1, noon);

  assert.deepEqual([world.usage.requests(acme, noon), world.usage.requests(beta, noon), world.usage.requests(acme, noon + day)], [7, 1, 0]);
});

test('storage is what the disk gave to the tenant’s folder, links not followed', async () => {
  using world = newWorld();
  const dir = path.join(world.home.tenantDir(acme), 'runs', 'x');
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, 'big'), Buffer.alloc(300_000, 1));
  for (let i = 0; i < 20; i += 1) fs.writeFileSync(path.join(dir, `tiny-${i}`), 'x');
  const outside = path.join(world.home.root, 'outside');
  fs.writeFileSync(outside, Buffer.alloc(9_000_000, 1));
  fs.symlinkSync(outside, path.join(dir, 'link'));

  const { bytes } = await world.usage.measureStorage(acme);

  assert.ok(bytes >= 300_000 + 20 * 512 && bytes < 2_000_000, String(bytes));
  assert.equal((await world.usage.measureStorage(beta)).bytes, 0);
});

test('a known measure is answered at once and renewed when it is old, also after the clock stepped back', async () => {
  using world = newWorld();
  const file = path.join(world.home.tenantDir(acme), 'file');
  const first = await world.usage.storage(acme);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, Buffer.alloc(100_000, 1));

  const soon = await world.usage.storage(acme);
  world.nowMs -= day;
  const old = await world.usage.storage(acme);
  // The walk that this began is the one that is waited for.
  const { measuredMs } = await world.usage.measureStorage(acme);
  const renewed = await world.usage.storage(acme);

  assert.deepEqual([first.bytes, soon.bytes, old.bytes], [0, 0, 0]);
  assert.equal(measuredMs, world.nowMs);
  assert.ok(renewed.bytes >= 100_000);
});
