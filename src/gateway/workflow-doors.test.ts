import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import { openWorld, type GatewayWorld } from './fixtures/gateway-world.ts';

function writeWorkflow(world: GatewayWorld, name: string, text: string): void {
  const dir = path.join(world.home.tenantDir(parseTenantId('default')), 'workflows');
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, `${name}.yaml`), `version: 1\n${text}`);
}

test('a workflow is listed, begun and followed over HTTP, by who may start runs, and one key begins one passage', async (t) => {
  const world = await openWorld(t);
  writeWorkflow(world, 'release', 'steps: [{ agent: main, message: "Write {{input}}." }, { agent: main, message: Check. }]\n');
  writeWorkflow(world, 'broken', 'steps: []\n');
  const token = world.token('submitter');
  const begin = async (name: string, body: object, headers = {}) =>
    await world.ask('POST', `/api/v1/workflows/${name}/run`, { token, body, headers });

  const listed = await world.ask('GET', '/api/v1/workflows', { token });
  const first = await begin('release', { input: 'notes' }, { 'idempotency-key': 'k1' });
  world.skip(25 * 60 * 60 * 1000);
  const later = await begin('release', { input: 'notes' }, { 'idempotency-key': 'k1' });
  const changed = await begin('release', { input: 'other notes' }, { 'idempotency-key': 'k1' });
  world.skip(25 * 60 * 60 * 1000);
  const changedLater = await begin('release', { input: 'other notes' }, { 'idempotency-key': 'k1' });
  const other = await begin('release', { input: 'notes' });
  const refused = [await begin('release', {}), await begin('broken', { input: 'x' }), await begin('nothing', {}), await begin('../x', {})];
  const shown = await world.ask('GET', `/api/v1/passages/${first.json.passage.id}`, { token });
  const all = await world.ask('GET', '/api/v1/passages', { token });

  assert.deepEqual(listed.json.workflows, [
    { name: 'broken', agents: [], description: '', isValid: false },
    { name: 'release', agents: ['main', 'main'], description: '', isValid: true },
  ]);
  assert.deepEqual(
    [first.status, later.json.passage.id, other.json.passage.id === first.json.passage.id],
    [202, first.json.passage.id, false],
  );
  assert.deepEqual([changed.status, changedLater.status, changedLater.json.code], [422, 422, 'gateway.other-request']);
  assert.deepEqual(
    refused.map(({ status, json }) => [status, json.code]),
    [
      [400, 'control.workflow-input'],
      [409, 'gateway.workflow-invalid'],
      [404, 'gateway.not-found'],
      [404, 'gateway.unknown-route'],
    ],
  );
  assert.ok(!refused.some(({ text }) => text.includes(world.home.dir)));
  assert.deepEqual(
    [shown.json.passage.state, shown.json.passage.steps.map(({ state }: { state: string }) => state)],
    ['running', ['at work', 'waits']],
  );
  assert.equal(all.json.passages.length, 2);
});

test('a tenant begins at most a hundred passages at once', async (t) => {
  const world = await openWorld(t);
  writeWorkflow(world, 'release', 'steps: [{ agent: main, message: Go. }]\n');
  const token = world.token('submitter');
  const begin = async (): Promise<string> => (await world.ask('POST', '/api/v1/workflows/release/run', { token, body: {} })).text;

  for (let n = 0; n < 100; n += 1) assert.match(await begin(), /"state":"running"/);

  assert.match(await begin(), /control\.too-many-passages/);
});

test('a job over HTTP starts an agent or a workflow, and exactly one of them', async (t) => {
  const world = await openWorld(t);
  writeWorkflow(world, 'release', 'steps: [{ agent: main, message: Go. }]\n');
  const token = world.token('operator');
  const add = async (id: string, more: object) =>
    await world.ask('POST', '/api/v1/schedules', { token, body: { id, message: 'x', when: { every: '1h' }, ...more } });

  const added = await add('weekly', { workflow: 'release' });
  const refused = [
    await add('a', {}),
    await add('b', { agent: 'main', workflow: 'release' }),
    await add('c', { workflow: 'nothing' }),
    await add('d', { workflow: 'release', project: 'shop', lane: 'infra' }),
  ];

  assert.deepEqual([added.status, added.json.schedule.job.workflow, added.json.schedule.job.agent], [201, 'release', 'main']);
  assert.deepEqual(
    refused.map(({ status }) => status),
    [400, 400, 404, 400],
  );
});

test('a start by hand whose answer could not be kept was not made either, and the same key makes one', async (t) => {
  let fails = true;
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    kept: {
      ...ctx.kept,
      put: (...given) => {
        if (fails) throw new Error('killed here');
        ctx.kept.put(...given);
      },
    },
  }));
  const token = world.token('operator');
  await world.ask('POST', '/api/v1/schedules', { token, body: { id: 'daily', agent: 'main', message: 'x', when: { every: '1h' } } });
  const start = async () =>
    await world.ask('POST', '/api/v1/schedules/daily/run', { token, body: {}, headers: { 'idempotency-key': 'k1' } });
  const starts = (): number => world.ctx.schedules.history({ tenant: parseTenantId('default'), job: 'daily' }).length;

  const killed = await start();
  const afterKill = starts();
  fails = false;
  const [again, third] = [await start(), await start()];

  assert.deepEqual([killed.status, afterKill, again.status, third.status, starts()], [500, 0, 202, 202, 1]);
  assert.equal(third.json.firing.slot, again.json.firing.slot);
});

test('no schedule is taken for a lane that never starts anything, its own or that of a step of its workflow', async (t) => {
  const lanes = [
    { lane: 'closed', rateLimits: { runsPerHour: 0 } },
    { lane: 'open', rateLimits: { runsPerHour: 1 } },
  ];
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'shop-')));
  const shop = { id: 'shop', title: '', repo: path.basename(dir), dir, root: path.dirname(dir), lanes, tags: [] };
  const world = await openWorld(t, (ctx) => ({ ...ctx, projects: async () => [shop] }));
  for (const { lane } of lanes) writeWorkflow(world, lane, `steps: [{ agent: main, message: Go., project: shop, lane: ${lane} }]\n`);
  const token = world.token('operator');
  const add = async (id: string, more: object) =>
    await world.ask('POST', '/api/v1/schedules', { token, body: { id, message: 'x', when: { every: '1h' }, ...more } });

  const answers = [
    await add('a', { agent: 'main', project: 'shop', lane: 'closed' }),
    await add('b', { workflow: 'closed' }),
    await add('c', { agent: 'main', project: 'shop', lane: 'open' }),
    await add('d', { workflow: 'open' }),
  ];

  assert.deepEqual(
    answers.map(({ status, json }) => [status, json.code]),
    [
      [403, 'control.lane-closed'],
      [403, 'control.lane-closed'],
      [201, undefined],
      [201, undefined],
    ],
  );
});
