import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/contracts/clock.ts';
import { parseAgentId, parseTenantId, type RunId, type TenantId } from '../../src/contracts/ids.ts';
import { silentLog } from '../../src/contracts/log.ts';
import { givenUpReason } from '../../src/contracts/run.ts';
import { taskIdOf } from '../../src/contracts/task.ts';
import { openRuns } from '../../src/state/runs.ts';
import { admit } from '../../src/control/admit.ts';
import { openAdmission } from '../../src/cli/open-admission.ts';
import { wire } from '../../src/cli/wire.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import type { Queue } from '../../src/state/queue.ts';
import { newInstallation, type Installation } from './installation.ts';
import { serveHome } from './served.ts';

const acme = parseTenantId('acme');
const home = parseTenantId('default');

async function withTasks(
  tenants: readonly TenantId[],
): Promise<{ readonly one: Installation; readonly runs: string[]; readonly queue: Queue } & AsyncDisposable> {
  const one = newInstallation({ clawholdYaml: 'model: scripted/demo\n' });
  await one.cli(['tenants', 'create', 'acme']);
  for (const file of ['agent.yaml', 'SOUL.md']) one.write(`.clawhold/tenants/acme/agents/main/${file}`, one.read(one.agentFile(file)));
  const stack = new AsyncDisposableStack();
  const queue = stack.use(await openQueue({ driver: 'sqlite', file: path.join(one.home, 'queue.db'), clock: systemClock }));
  const app = stack.use(wire({ env: one.env, cwd: one.root }));
  const parts = { home: await app.home(), database: await app.database(), queue, clock: systemClock, log: silentLog };
  const ctx = openAdmission({ ...parts, appOf: (tenant) => wire({ env: one.env, cwd: one.root, tenant }), maxDeliveries: 1 });
  const runs: string[] = [];
  for (const tenant of tenants) {
    const principal = { kind: 'service', id: 'tok_1', tenant, roles: ['submitter'] } as const;
    const answer = await admit(ctx, principal, { agent: parseAgentId('main'), input: 'hello', door: 'http' });
    assert.ok(answer.outcome === 'admitted', JSON.stringify(answer));
    runs.push(answer.run);
  }
  stack.defer(() => one[Symbol.dispose]());
  return { one, runs, queue, [Symbol.asyncDispose]: async () => await stack.disposeAsync() };
}

test('the queue is shown, paused and resumed by tenant, and the platform sees all of it', async () => {
  await using world = await withTasks([acme, home, home]);
  const { one, queue } = world;

  const all = (await one.cli(['queue', 'status', '--json'])).json.queues;
  const own = (await one.cli(['queue', 'status', '--own', '--json'])).json.queues;
  const theirs = (await one.cli(['queue', 'status', '--tenant', 'acme', '--json'])).json.queues;
  await one.cli(['queue', 'pause', '--tenant', 'acme']);
  const leased = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 10 });
  await one.cli(['queue', 'resume', '--tenant', 'acme']);
  const afterwards = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 10 });

  const shape = (rows: { tenant: string; ready: number }[]) => Object.fromEntries(rows.map(({ tenant, ready }) => [tenant, ready]));
  assert.deepEqual([shape(all), shape(own), shape(theirs)], [{ acme: 1, default: 2 }, { default: 2 }, { acme: 1 }]);
  assert.deepEqual(
    [leased, afterwards].map((leases) => leases.map(({ message }) => message.tenant_id)),
    [['default', 'default'], ['acme']],
  );
});

/** As an executor leaves the row of a run whose task died. */
async function endAsGivenUp(one: Installation, run: string): Promise<void> {
  await using app = wire({ env: one.env, cwd: one.root });
  openRuns(await app.database()).update(run as RunId, { state: 'failed', reason: givenUpReason(1, 'it broke'), endedMs: 1 });
}

test('a dead task is shown with its reason, tried again, and removed; its run ends with it', async () => {
  await using world = await withTasks([acme]);
  const { one, queue, runs } = world;
  const [lease] = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 1 });
  await queue.nak(lease!, { delayMs: 0, reason: 'it broke', isDead: true });
  const task = taskIdOf(runs[0]!);
  const stateOf = async () => (await one.cli(['runs', 'list', '--tenant', 'acme', '--json'])).json.runs[0].state;
  await endAsGivenUp(one, runs[0]!);
  const before = await stateOf();

  const dead = (await one.cli(['queue', 'dead', '--json'])).json.tasks;
  const foreign = await one.cli(['queue', 'requeue', task, '--own']);
  const requeued = (await one.cli(['queue', 'requeue', task, '--tenant', 'acme', '--json'])).json.requeued;
  const after = await stateOf();
  const unconfirmed = await one.cli(['queue', 'remove', '--state', 'ready']);
  const removed = (await one.cli(['queue', 'remove', task, '--json'])).json.removed;
  const run = (await one.cli(['runs', 'list', '--tenant', 'acme', '--json'])).json.runs[0];

  assert.deepEqual([dead[0].task, dead[0].run, dead[0].lastReason], [task, runs[0], 'it broke']);
  assert.deepEqual([foreign.code, requeued, unconfirmed.code, removed], [2, 1, 2, 1]);
  assert.deepEqual([before, after], ['failed', 'accepted']);
  assert.deepEqual([run.state, run.reason], ['cancelled', 'its task was removed from the queue']);
});

test('drain waits until nothing is worked on, gives up in time with 124, and leaves the queue paused', async () => {
  await using world = await withTasks([home, home]);
  const { one, queue } = world;
  const [lease] = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 1 });

  const late = await one.cli(['queue', 'drain', '--timeout', '0.2', '--json']);
  await queue.ack(lease!);
  const quiet = await one.cli(['queue', 'drain', '--json']);

  assert.deepEqual([late.code, late.json.leased, quiet.code, quiet.json.leased], [124, 1, 0, 0]);
  assert.deepEqual(await queue.lease({ worker: 'w', leaseMs: 1000, max: 5 }), []);
});

test('who pauses, resumes, requeues and removes is in the ledger, from the command line and over HTTP, before it is done', async () => {
  using one = newInstallation({ clawholdYaml: 'model: scripted/demo\n' });
  await using served = await serveHome(one);

  for (const args of [['pause'], ['resume'], ['requeue', '--own'], ['remove', '--state', 'dead', '--yes']])
    await one.cli(['queue', ...args]);
  await served.ask('POST', '/api/v1/queue/pause', {});
  await served.ask('POST', '/api/v1/queue/resume', { tenant: '*' });
  await served.ask('POST', '/api/v1/queue/requeue', {});
  const { stdout } = await one.cli(['audit', 'query', '--type', 'queue.change', '--json']);
  const events = stdout
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line))
    .toSorted((a, b) => (a.at < b.at ? -1 : 1));

  assert.deepEqual(
    events.map(({ principal, change, tenant, state }) => [principal.kind, change, tenant, state]),
    [
      ['user', 'paused', undefined, undefined],
      ['user', 'resumed', undefined, undefined],
      ['user', 'requeued', 'default', undefined],
      ['user', 'removed', undefined, 'dead'],
      ['service', 'paused', 'default', undefined],
      ['service', 'resumed', undefined, undefined],
      ['service', 'requeued', 'default', undefined],
    ],
  );
  assert.equal((await one.cli(['audit', 'verify', '--schema'])).code, 0);
});

test('status tells of a pause also when nothing waits', async () => {
  await using world = await withTasks([]);
  const { one } = world;
  await one.cli(['queue', 'pause', '--type', 'agent']);

  const { json } = await one.cli(['queue', 'status', '--json']);
  const told = await one.cli(['queue', 'status']);

  assert.deepEqual(json.pauses, [{ agentType: 'agent' }]);
  assert.match(told.stdout, /Paused: type agent\./);
});

test('all tasks of a state are removed with --yes, of the own tenant only', async () => {
  await using world = await withTasks([acme, home, home]);

  const { json } = await world.one.cli(['queue', 'remove', '--state', 'ready', '--yes', '--own', '--json']);
  const left = (await world.one.cli(['queue', 'list', '--json'])).json.tasks;

  assert.equal(json.removed, 2);
  assert.deepEqual(
    left.map(({ tenant }: { tenant: string }) => tenant),
    ['acme'],
  );
});

test('tenants are listed with their use and their conditions: suspended, over quota, invalid policy, dead tasks', async () => {
  await using world = await withTasks([acme, acme, home]);
  const { one, queue } = world;
  const [lease] = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 1, scope: { tenant: acme } });
  await queue.nak(lease!, { delayMs: 0, reason: 'it broke', isDead: true });
  one.write('.clawhold/tenants/acme/policy.yaml', 'version: 1\nrules: [{ id: x, alow: "*" }]\n');
  await one.cli(['tenants', 'set', 'acme', 'quotas.concurrentRuns', '1']);
  await one.cli(['tenants', 'suspend', 'acme']);

  const { json, stdout } = await one.cli(['tenants', 'list', '--json']);
  const shown = await one.cli(['tenants', 'show', 'acme']);

  const [platform, theirs] = json.tenants;
  assert.deepEqual([platform.tenant, platform.conditions, platform.tasks.ready], ['default', [], 1], stdout);
  assert.deepEqual(
    theirs.conditions.map(({ type, quota }: { type: string; quota?: string }) => quota ?? type),
    ['Suspended', 'PolicyInvalid', 'concurrentRuns', 'DeadTasks'],
  );
  assert.deepEqual(theirs.uses[0], { name: 'concurrentRuns', used: 1, limit: 1 });
  assert.match(shown.stdout, /PolicyInvalid: tenants\/acme\/policy\.yaml/);
  assert.deepEqual(await queue.lease({ worker: 'w', leaseMs: 1000, max: 5, scope: { tenant: acme } }), []);
});

test('a deleted tenant leaves nothing to a new one of its name, and is not deleted while it is at work or unconfirmed', async () => {
  await using world = await withTasks([acme, acme, home]);
  const { one, queue } = world;
  await one.cli(['secrets', 'set', 'API_TOKEN', '--host', 'api.example.org', '--tenant', 'acme'], { stdin: 'v4lue-of-acme-0123456789' });
  await one.cli(['tokens', 'create', '--tenant', 'acme']);
  const [lease] = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 1, scope: { tenant: acme } });

  const unconfirmed = await one.cli(['tenants', 'delete', 'acme']);
  const atWork = await one.cli(['tenants', 'delete', 'acme', '--yes']);
  await queue.ack(lease!);
  const deleted = await one.cli(['tenants', 'delete', 'acme', '--yes', '--json']);
  const gone = await one.cli(['runs', 'list', '--tenant', 'acme']);
  const platform = await one.cli(['tenants', 'delete', 'default', '--yes']);
  await one.cli(['tenants', 'create', 'acme']);

  assert.deepEqual([unconfirmed.code, atWork.code, deleted.code, gone.code, platform.code], [2, 2, 0, 2, 2], deleted.stderr);
  assert.match(atWork.stderr, /worked on/);
  for (const [args, key] of [
    [['runs', 'list'], 'runs'],
    [['tokens', 'list'], 'tokens'],
    [['agents', 'list'], 'agents'],
    [['secrets', 'list'], 'secrets'],
    [['queue', 'status'], 'queues'],
  ] as const) {
    const { json } = await one.cli([...args, '--tenant', 'acme', '--json']);
    assert.deepEqual(
      json[key].filter(({ ready, dead }: { ready?: number; dead?: number }) => ready !== 0 || dead !== 0),
      [],
      key,
    );
  }
  assert.equal(deleted.json.kept.length, 3);
  for (const place of deleted.json.kept) assert.ok(fs.existsSync(place), place);
  assert.equal((await queue.counts({ tenant: home }))[0]?.ready, 1);
});
