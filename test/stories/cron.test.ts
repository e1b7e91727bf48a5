import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../src/contracts/clock.ts';
import type { TenantId } from '../../src/contracts/ids.ts';
import { openDatabase } from '../../src/state/database.ts';
import { homeAt } from '../../src/state/home.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import { openSchedules } from '../../src/state/schedules.ts';
import { newInstallation } from './installation.ts';

const tenant = 'default' as TenantId;

test('a job is added, listed, shown, paused, resumed and removed from the command line, without a server', async () => {
  using one = newInstallation({ agentYaml: 'task: Do it.\n' });

  const added = await one.cli(['cron', 'add', '--every', '1h', '--missed', 'once', '--notify-file', 'a/b.md', '--json']);
  assert.equal(added.code, 0, added.stdout);
  assert.deepEqual(added.json.job, {
    id: 'main-1',
    tenant: 'default',
    agent: 'main',
    message: 'Do it.',
    mode: 'isolated',
    missed: 'once',
    notify: { file: 'a/b.md' },
    when: { every: '1h' },
  });
  const again = await one.cli(['cron', 'add', '--id', 'main-1', '--every', '1h', '--json']);
  assert.deepEqual([again.code, again.json.error.code], [2, 'control.job-exists']);
  assert.deepEqual((await one.cli(['cron', 'show', 'main-1', '--json'])).json.job, added.json.job);
  assert.equal((await one.cli(['cron', 'pause', 'main-1', '--reason', 'holidays'])).code, 0);
  assert.match((await one.cli(['cron', 'list'])).stdout, /main-1 .*paused .*holidays/);
  assert.equal((await one.cli(['cron', 'resume', 'main-1', '--json'])).json.paused, null);
  const run = await one.cli(['cron', 'run', 'main-1']);
  assert.match(run.stdout, /queued: no server runs on this home/);
  assert.equal((await one.cli(['cron', 'remove', 'main-1'])).code, 0);
  assert.deepEqual((await one.cli(['cron', 'list', '--json'])).json.jobs, []);
  assert.equal((await one.cli(['cron', 'history', 'main-1', '--json'])).json.firings.length, 1);
  const changes = await one.cli(['audit', 'query', '--type', 'schedule.change', '--json']);
  assert.deepEqual(
    changes.stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).change),
    ['added', 'paused', 'resumed', 'removed'],
  );
});

test('a wrong schedule in agent.yaml is an error with its line, and hinders no other agent', async () => {
  using one = newInstallation({ agentYaml: 'task: Do it.\n' });
  one.write(
    one.agentFile('agent.yaml', 'late'),
    'version: 1\ntask: Do it.\nschedule:\n  when:\n    cron: "0 2 * * *"\n    timezone: Mars/Olympus\n',
  );

  const validated = await one.cli(['agents', 'validate']);

  assert.equal(validated.code, 2);
  assert.match(validated.stderr, /agents\/late\/agent\.yaml:6: schedule\.when\.timezone is "Mars\/Olympus", which is no time zone/);
  assert.equal((await one.cli(['agents', 'validate', 'main'])).code, 0);
});

test('two processes that fire the same jobs, one of them killed and started again, start each slot once', async (t) => {
  using one = newInstallation({ agentYaml: 'task: Do it.\n' });
  for (const id of ['a', 'b', 'c']) await one.cli(['cron', 'add', '--id', id, '--every', '1s', '--missed', 'all']);
  const children: ChildProcess[] = [];
  const startOne = async (): Promise<void> => {
    const child = spawn(process.execPath, [path.join(import.meta.dirname, 'cron-child.ts'), one.home], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    children.push(child);
    await once(child.stdout, 'data');
  };
  const killOldest = async (): Promise<void> => {
    const child = children.shift();
    const closed = child === undefined ? undefined : once(child, 'close');
    child?.kill('SIGKILL');
    await closed;
  };
  t.after(() => children.forEach((child) => child.kill('SIGKILL')));

  await Promise.all([startOne(), startOne()]);
  for (let kills = 0; kills < 4; kills += 1) {
    await sleep(300 + 150 * kills);
    await killOldest();
    await startOne();
  }
  await sleep(6_000);
  await killOldest();
  await killOldest();

  using database = openDatabase(homeAt(one.home).databaseFile);
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(one.home, 'queue.db'), clock: systemClock });
  const schedules = openSchedules(database);
  const firings = schedules.history({ tenant, limit: 1000 }).filter(({ run }) => run !== undefined);
  const tasks = await queue.list({ state: 'ready', limit: 1000 });
  assert.ok(firings.length >= 20, `only ${firings.length} slots fired`);
  const keyOf = (firing: { job: string; slotMs: number }): string => `cron:${firing.job}:${firing.slotMs}`;
  const keys = tasks.map(({ message }) => message.idempotency_key);
  assert.equal(new Set(keys).size, keys.length);
  // Every slot that is known to have a run has exactly its one task; the last may have been cut off before it was noted.
  for (const firing of firings)
    assert.equal(tasks.find(({ message }) => message.idempotency_key === keyOf(firing))?.message.task_id.slice(4), firing.run?.slice(4));
  for (const id of ['a', 'b', 'c']) {
    const slots = firings.filter(({ job }) => job === id).map(({ slotMs }) => slotMs);
    assert.equal(Math.max(...slots) - Math.min(...slots), (slots.length - 1) * 1000, `job ${id} has a hole`);
  }
  assert.ok(fs.readFileSync(path.join(one.root, 'asked'), 'utf8').split('\n').length > firings.length);
});

test('a workflow is begun from the command line with an input exactly when it takes one', async () => {
  using one = newInstallation({ agentYaml: 'task: Do it.\n' });
  const folder = '.clawhold/tenants/default/workflows';
  one.write(
    `${folder}/greet.yaml`,
    "version: 1\nsteps:\n  - { agent: main, message: 'Greet {{input}}.' }\n  - { agent: main, message: Again. }\n",
  );
  one.write(`${folder}/wrong.yaml`, 'version: 1\nsteps: []\n');

  const without = await one.cli(['workflows', 'run', 'greet', '--json']);
  const begun = await one.cli(['workflows', 'run', 'greet', 'the', 'world', '--json']);
  const shown = await one.cli(['workflows', 'show', begun.json.passage.id, '--json']);
  const listed = await one.cli(['workflows', 'list', '--json']);

  assert.deepEqual([without.code, without.json.error.code], [2, 'control.workflow-input']);
  assert.equal(begun.json.isServed, false);
  assert.deepEqual(
    shown.json.passage.steps.map(({ state }: { state: string }) => state),
    ['at work', 'waits'],
  );
  assert.deepEqual(
    listed.json.workflows.map(({ name, fault }: { name: string; fault: string | null }) => [name, fault === null]),
    [
      ['greet', true],
      ['wrong', false],
    ],
  );
});
