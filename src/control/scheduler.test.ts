import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { RetryableError } from '../contracts/errors.ts';
import type { Metrics } from '../contracts/metrics.ts';
import { newSessionId } from '../contracts/ids.ts';
import { openSchedules } from '../state/schedules.ts';
import { addJob, pauseJob, removeJob, resumeJob } from './change-jobs.ts';
import { hour, jobOf, minute, openWorld, second, startMs, tenant, type World } from './fixtures/scheduler-world.ts';
import { openScheduler } from './scheduler.ts';

const human = { kind: 'user', id: 'ann' } as const;
const slots = (world: World): number[] => world.admitted.map(({ request }) => Number(request.idempotencyKey?.split(':').at(-1)));
const minutes = (world: World): number[] => slots(world).map((ms) => (ms - startMs) / minute);

test('a job fires at its slots, as a service of its own name, and is in the ledger before its run', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { cron: '*/5 * * * *' } }) });

  await world.walk(startMs + 11 * minute, 10 * second);

  assert.deepEqual(minutes(world), [5, 10]);
  assert.deepEqual(world.admitted[0]?.principal, { kind: 'service', id: 'schedule:nightly', tenant: 'default', roles: ['submitter'] });
  assert.deepEqual(world.admitted[0]?.request, {
    agent: 'main',
    input: 'Tidy up.',
    door: 'cron',
    idempotencyKey: `cron:nightly:${startMs + 5 * minute}`,
  });
  assert.equal((await world.events('schedule.fired')).length, 2);
  assert.equal((await world.events('schedule.change')).length, 1);
});

test('the firing is on the disk as started before its run is asked for', async () => {
  let seen: unknown;
  await using world = await openWorld({
    admit: async () => {
      seen = world.firings('nightly').map(({ state, run }) => ({ state, run }));
      return { outcome: 'refused', code: 'control.over-quota', message: 'too many' };
    },
  });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });

  await world.walk(startMs + minute);

  assert.deepEqual(seen, [{ state: 'started', run: undefined }]);
  assert.match(world.firings('nightly')[0]?.reason ?? '', /control.over-quota: too many/);
  assert.equal(world.firings('nightly')[0]?.state, 'refused');
});

test('two schedulers on one database fire each slot once', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1s' } }) });
  const other = world.another();

  for (let i = 0; i < 50; i += 1, world.nowMs += second) await Promise.all([world.scheduler.tick(), other.tick()]);

  assert.equal(world.admitted.length, 49);
  assert.equal(new Set(slots(world)).size, 49);
});

test('sabotage: without the claim in the database a slot is taken twice', async () => {
  await using world = await openWorld();
  const row = await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });
  const claim = { run: [row.nextMs!], merged: [], next: { slotMs: row.nextMs! + minute, dueMs: row.nextMs! + minute }, nowMs: world.nowMs };

  const first = world.schedules.claim(row, claim);
  const again = world.schedules.claim(row, claim);
  world.schedules.setNext(world.schedules.get(tenant, 'nightly')!, { slotMs: row.nextMs!, dueMs: row.nextMs! });
  const third = world.schedules.claim(world.schedules.get(tenant, 'nightly')!, claim);
  world.database.run('DELETE FROM schedule_firings');
  world.schedules.setNext(world.schedules.get(tenant, 'nightly')!, { slotMs: row.nextMs!, dueMs: row.nextMs! });
  const broken = world.schedules.claim(world.schedules.get(tenant, 'nightly')!, claim);

  assert.deepEqual(
    [first, again, third, broken].map(({ started }) => started.length),
    [1, 0, 0, 1],
  );
});

test('starts by hand of one job are bounded, and those that wait cost other jobs nothing', async () => {
  await using world = await openWorld({ admit: async () => Promise.reject(new RetryableError('test.full', 'later')) });
  const row = await addJob(world.ctx, human, { job: jobOf({ when: { every: '9999d' }, mode: 'main' }) });
  const other = await addJob(world.ctx, human, { job: jobOf({ id: 'other', when: { every: '9999d' }, mode: 'main' }) });
  for (let start = 0; start < 100; start += 1) world.schedules.startManual(row, world.nowMs);

  assert.throws(() => world.schedules.startManual(row, world.nowMs), { code: 'state.starts-wait', remedy: 'retry' });
  world.schedules.startManual(other, world.nowMs);

  assert.deepEqual([world.schedules.unadmitted(row).length, world.schedules.unadmitted(other).length], [100, 1]);
  assert.equal(world.schedules.unadmitted().length, 101);
});

test('each slot is counted once, as fired, failed or skipped, by whichever process took it', async () => {
  const counted: string[] = [];
  const metrics: Metrics = { count: (_name, labels) => void counted.push(Object.values(labels ?? {}).join(' ')), observe: () => {} };
  await using world = await openWorld({ metrics });
  await addJob(world.ctx, human, { job: jobOf({ when: { cron: '0 * * * *' } }) });
  const refusing = world.another({ admit: async () => ({ outcome: 'refused', code: 'control.over-quota', message: 'Too many.' }) });

  world.nowMs += hour;
  await Promise.all([world.scheduler.tick(), world.another().tick()]);
  world.nowMs += hour;
  await refusing.tick();
  world.nowMs += 3 * hour + 10 * minute;
  await Promise.all([world.scheduler.tick(), world.another().tick()]);

  assert.deepEqual(counted, ['default fired', 'default failed', 'default skipped']);
});

test('a crowd of jobs of one tenant does not keep those of another waiting', async () => {
  await using world = await openWorld();
  const crowd = Array.from({ length: 60 }, (_, index) => jobOf({ id: `job-${index}`, tenant: 'acme', when: { every: '1m' } }));
  for (const job of crowd) await addJob(world.ctx, human, { job });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });

  world.nowMs += minute;
  await world.scheduler.tick();

  assert.equal(world.firings('nightly').length, 1);
  assert.equal(world.admitted.length, 51);
  await world.scheduler.tick();
  assert.equal(world.admitted.length, 61);
});

test('a crash between the slot and its run is completed at the next start, with the same key', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });
  const dying = world.another({
    admit: async () => {
      throw new RetryableError('test.died', 'the process died here');
    },
  });
  world.nowMs += minute;
  await dying.tick();
  assert.equal(world.firings('nightly')[0]?.run, undefined);

  world.nowMs += 10 * second;
  await world.another().tick();
  await world.another().tick();

  assert.deepEqual(minutes(world), [1]);
  assert.equal(world.firings('nightly')[0]?.run, world.admitted[0]?.run);
});

test('a crash after the run was asked for leads to the same run', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });
  const dying = world.another({
    admit: async (principal, request) => {
      await world.ctx.admit(principal, request);
      throw new RetryableError('test.died', 'the process died here');
    },
  });
  world.nowMs += minute;
  await dying.tick();

  await world.another().tick();

  assert.equal(world.admitted.length, 1);
  assert.equal(world.firings('nightly')[0]?.run, world.admitted[0]?.run);
});

const downtimes = [
  { missed: undefined, ran: [], states: ['missed'] },
  { missed: 'skip' as const, ran: [], states: ['missed'] },
  { missed: 'once' as const, ran: [180], states: ['merged', 'merged', 'started'] },
  { missed: 'all' as const, ran: [60, 120, 180], states: ['started', 'started', 'started'] },
];
for (const { missed, ran, states } of downtimes) {
  test(`after a downtime over three slots, missed: ${missed ?? 'not given'} gives what the documentation says`, async () => {
    await using world = await openWorld();
    await addJob(world.ctx, human, { job: jobOf({ when: { cron: '0 * * * *' }, ...(missed === undefined ? {} : { missed }) }) });

    world.nowMs += 3 * hour + 10 * minute;
    await world.another().tick();
    await world.another().tick();

    assert.deepEqual(minutes(world), ran);
    assert.deepEqual(
      world.firings('nightly').map(({ state }) => state),
      states,
    );
  });
}

test('a clock that steps back fires nothing twice, also not what was made up for', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { cron: '0 * * * *' }, missed: 'once' }) });
  await world.walk(startMs + hour + second, minute);
  world.nowMs = startMs + 4 * hour + 10 * minute;
  await world.scheduler.tick();
  assert.deepEqual(minutes(world), [60, 240]);

  world.nowMs = startMs + 30 * minute;
  await world.walk(startMs + 6 * hour, minute);

  assert.deepEqual(minutes(world), [60, 240, 300, 360]);
});

test('a clock that was years ahead for a moment leaves no silent job', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { cron: '0 * * * *' } }) });
  world.nowMs = startMs + 10 * 365 * 24 * hour;
  await world.scheduler.tick();

  world.nowMs = startMs + 10 * minute;
  await world.walk(startMs + 2 * hour, minute);

  assert.deepEqual(minutes(world).slice(-2), [60, 120]);
});

test('a clock that was ahead while the process ended leaves no silent job', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { cron: '0 * * * *' } }) });
  world.nowMs = startMs + 1000 * hour;
  await world.scheduler.tick();
  const before = world.admitted.length;

  world.nowMs = startMs + 10 * minute;
  const next = world.another();
  for (; world.nowMs <= startMs + hour; world.nowMs += minute) await next.tick();

  assert.deepEqual(minutes(world).slice(before), [60]);
});

test('at fires once and never again', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { at: '2026-06-01T00:05:00Z' } }) });

  await world.walk(startMs + 10 * minute, 5 * second);
  world.nowMs = startMs;
  await world.walk(startMs + 10 * minute, 5 * second);

  assert.deepEqual(minutes(world), [5]);
  assert.equal(world.schedules.get(tenant, 'nightly')?.nextMs, undefined);
});

test('a paused job fires nothing, and after its resume only what comes then', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' }, missed: 'all' }) });
  await pauseJob(world.ctx, human, { tenant, id: 'nightly', reason: 'holidays' });
  await world.walk(startMs + 5 * minute, 10 * second);
  assert.equal(world.admitted.length, 0);

  await resumeJob(world.ctx, human, { tenant, id: 'nightly' });
  await world.walk(startMs + 6 * minute, 10 * second);

  assert.deepEqual(minutes(world), [6]);
});

test('a manual start is asked for by the same principal, with the same message, and is told apart', async () => {
  await using world = await openWorld();
  const row = await addJob(world.ctx, human, { job: jobOf({ when: { cron: '@yearly' } }) });
  world.schedules.startManual(row, world.nowMs);
  world.schedules.startManual(row, world.nowMs);

  await world.scheduler.tick();

  assert.equal(world.admitted.length, 2);
  assert.deepEqual(world.admitted[0]?.principal, { kind: 'service', id: 'schedule:nightly', tenant: 'default', roles: ['submitter'] });
  assert.equal(world.admitted[0]?.request.input, 'Tidy up.');
  assert.ok(world.firings('nightly').every(({ isManual }) => isManual));
});

test('runs in one session follow each other: a slot that finds one at work is missed', async () => {
  const session = newSessionId(startMs);
  await using world = await openWorld({ lastSession: () => session });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' }, mode: 'main' }) });

  await world.walk(startMs + 2 * minute, 10 * second);
  world.end(world.admitted[0]!.run);
  await world.walk(startMs + 3 * minute, 10 * second);

  assert.deepEqual(minutes(world), [1, 3]);
  assert.equal(world.admitted[0]?.request.session, session);
  assert.match(world.firings('nightly')[1]?.reason ?? '', /still at work in the same session/);
});

test('runs in one session follow each other: with missed: all they wait', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { cron: '0 * * * *' }, mode: 'main', missed: 'all' }) });
  world.nowMs += 3 * hour + 10 * minute;

  for (let round = 0; round < 3; round += 1) {
    await world.scheduler.tick();
    world.end(world.admitted.at(-1)!.run);
    world.nowMs += 10 * second;
  }

  assert.deepEqual(minutes(world), [60, 120, 180]);
});

test('an ended run ends its firing', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });
  await world.walk(startMs + minute);

  world.end(world.admitted[0]!.run, 'failed');
  await world.scheduler.tick();

  assert.deepEqual(
    world.firings('nightly').map(({ state, runState, reason }) => ({ state, runState, reason })),
    [{ state: 'ended', runState: 'failed', reason: 'it is failed' }],
  );
});

test('an interrupted run is told apart from a missed slot, and by default left to the queue', async () => {
  await using world = await openWorld({ isAlive: (_tenant, owner) => owner !== 'dead' });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1h' } }) });
  await world.walk(startMs + hour, minute);
  const { run } = world.admitted[0]!;
  world.runs.update(run, { state: 'running', owner: 'dead' });

  for (let i = 0; i < 5; i += 1, world.nowMs += 10 * second) await world.another().tick();

  assert.equal(world.firings('nightly')[0]?.interruptions, 1);
  assert.equal(world.firings('nightly')[0]?.state, 'started');
  assert.equal(world.runs.get(run)?.state, 'running');
  assert.equal(world.admitted.length, 1);
});

test('interrupted: skip leaves the run, and says why', async () => {
  await using world = await openWorld({ isAlive: (_tenant, owner) => owner !== 'dead' });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1h' }, interrupted: 'skip' }) });
  await world.walk(startMs + hour, minute);
  const { run } = world.admitted[0]!;
  world.runs.update(run, { state: 'running', owner: 'dead' });

  await world.another().tick();
  await world.another().tick();

  assert.equal(world.runs.get(run)?.state, 'cancelled');
  assert.match(world.runs.get(run)?.reason ?? '', /its job leaves such runs/);
  assert.equal(world.firings('nightly')[0]?.state, 'ended');
});

test('a run that waits for a human and is continued by another process was not interrupted', async () => {
  await using world = await openWorld({ isAlive: () => false });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1h' } }) });
  await world.walk(startMs + hour, minute);
  const { run } = world.admitted[0]!;

  world.runs.update(run, { state: 'waiting', owner: 'one' });
  await world.scheduler.tick();
  await world.another().tick();

  assert.equal(world.firings('nightly')[0]?.interruptions, 0);
});

test('restart-loop guard: three processes that die with a job’s runs pause it, in list and ledger, and its run is left', async () => {
  const dead = new Set<string>();
  await using world = await openWorld({ isAlive: (_tenant, owner) => !dead.has(owner) });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1h' }, id: 'quiet' }) });
  await world.walk(startMs + minute);
  const { run } = world.admitted[0]!;

  for (const owner of ['one', 'two', 'three']) {
    world.runs.update(run, { state: 'running', owner });
    await world.another().tick();
    dead.add(owner);
    world.nowMs += 20 * second;
    await world.another().tick();
  }

  const row = world.schedules.get(tenant, 'nightly');
  assert.match(row?.pauseReason ?? '', /3 processes in a row died with a run of it within 10 minutes; .*clawhold cron resume nightly/);
  assert.equal(world.schedules.get(tenant, 'quiet')?.pauseReason, undefined);
  assert.equal(world.runs.get(run)?.state, 'cancelled');
  assert.ok((await world.events('schedule.change')).some((event) => event.type === 'schedule.change' && event.change === 'paused'));
  assert.ok(world.told.some((line) => line.includes('job nightly is paused')));
});

test('restart-loop guard: one crash with many runs is one death, and a run that ends well begins the count anew', async () => {
  const dead = new Set<string>();
  await using world = await openWorld({ isAlive: (_tenant, owner) => !dead.has(owner) });
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1s' } }) });
  await world.walk(startMs + 5 * second);
  for (const { run } of world.admitted) world.runs.update(run, { state: 'running', owner: 'one' });

  dead.add('one');
  await world.another().tick();
  assert.equal(world.schedules.get(tenant, 'nightly')?.deaths.length, 1);
  world.nowMs += second;
  await world.scheduler.tick();
  world.end(world.admitted.at(-1)!.run);
  await world.scheduler.tick();

  assert.deepEqual(world.schedules.get(tenant, 'nightly')?.deaths, []);
});

test('a job that cannot be fired now hinders no other, and is tried again', async () => {
  let isFull = true;
  await using world = await openWorld();
  const scheduler = world.another({
    admit: async (principal, request) => {
      if (isFull && principal.id === 'schedule:a') throw new RetryableError('state.disk-full', 'the disk is full');
      return await world.ctx.admit(principal, request);
    },
  });
  await addJob(world.ctx, human, { job: jobOf({ id: 'a', when: { at: '2026-06-01T00:01:00Z' } }) });
  await addJob(world.ctx, human, { job: jobOf({ id: 'b', when: { at: '2026-06-01T00:01:00Z' } }) });
  world.nowMs += minute;
  await scheduler.tick();
  assert.deepEqual(
    world.admitted.map(({ principal }) => principal.id),
    ['schedule:b'],
  );

  isFull = false;
  world.nowMs += 6 * second;
  await scheduler.tick();

  assert.deepEqual(
    world.admitted.map(({ principal }) => principal.id),
    ['schedule:b', 'schedule:a'],
  );
});

test('a removed job does not run what it had begun, and one of the same id does not start a slot again', async () => {
  await using world = await openWorld();
  const row = await addJob(world.ctx, human, { job: jobOf({ when: { at: '2026-06-01T00:01:00Z' } }) });
  world.schedules.claim(row, { run: [row.nextMs!], merged: [], nowMs: world.nowMs });
  await removeJob(world.ctx, human, { tenant, id: 'nightly' });
  await world.scheduler.tick();
  assert.equal(world.firings('nightly')[0]?.state, 'refused');

  await addJob(world.ctx, human, { job: jobOf({ when: { at: '2026-06-01T00:01:00Z' } }) });
  await world.walk(startMs + 2 * minute, 5 * second);

  assert.equal(world.admitted.length, 0);
});

test('jobs and their next times are there after a restart', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, {
    job: jobOf({ when: { cron: '0 2 * * *', timezone: 'Europe/Berlin' }, notify: { file: 'a/b.md' }, missed: 'once' }),
  });

  const again = openSchedules(world.database);

  assert.deepEqual(again.list(), world.schedules.list());
  assert.equal(new Date(again.get(tenant, 'nightly')!.nextMs!).toISOString(), '2026-06-02T00:00:00.000Z');
});

test('ids are unique in a tenant, and a job that would never fire is refused with its reason', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });

  await assert.rejects(addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) }), {
    code: 'control.job-exists',
    message: /choose another id, or remove it first/,
  });
  for (const when of [{ cron: 'x' }, { cron: '@daily', timezone: 'Mars/Olympus' }, { at: '2026-05-31T00:00:00Z' }, { cron: '0 0 31 2 *' }])
    await assert.rejects(addJob(world.ctx, human, { job: jobOf({ id: 'other', when }) }), { code: 'control.bad-schedule' });
  await assert.rejects(removeJob(world.ctx, human, { tenant, id: 'nope' }), { code: 'control.unknown-job' });
});

test('schedule: in agent.yaml makes a job, follows the file and goes with it', async () => {
  await using world = await openWorld();
  world.agentFile('scout', 'task: Look around.\nschedule:\n  when: { every: 5m }\n');
  await world.scheduler.tick();
  assert.deepEqual(world.schedules.get(tenant, 'scout')?.job.when, { every: '5m' });
  assert.equal(world.schedules.get(tenant, 'scout')?.job.message, 'Look around.');

  world.agentFile('scout', 'task: Look around.\nschedule:\n  when: { cron: "0 2 * * *", timezone: Europe/Berlin }\n  message: Report.\n');
  world.nowMs += 3 * second;
  await world.scheduler.tick();
  assert.deepEqual(world.schedules.get(tenant, 'scout')?.job.when, { cron: '0 2 * * *', timezone: 'Europe/Berlin' });

  world.agentFile('scout', 'task: Look around.\n');
  world.nowMs += 3 * second;
  await world.scheduler.tick();
  assert.equal(world.schedules.get(tenant, 'scout'), undefined);
});

test('an agent that is gone takes its job along, and one with a broken file keeps it and hinders no other', async () => {
  await using world = await openWorld();
  world.agentFile('scout', 'task: Look.\nschedule:\n  when: { every: 1m }\n');
  world.agentFile('gone', 'task: Look.\nschedule:\n  when: { every: 1m }\n');
  await world.scheduler.tick();

  fs.rmSync(path.dirname(path.join(world.home.tenantDir(tenant), 'agents', 'gone', 'agent.yaml')), { recursive: true });
  world.agentFile('scout', 'task: Look.\nschedule:\n  when:\n    cron: "61 * * * *"\n');
  world.agentFile('fresh', 'task: Look.\nschedule:\n  when: { every: 1m }\n');
  world.nowMs += 3 * second;
  await world.scheduler.tick();

  assert.deepEqual(
    world.schedules.list().map(({ id }) => id),
    ['fresh', 'scout'],
  );
  assert.deepEqual(world.schedules.get(tenant, 'scout')?.job.when, { every: '1m' });
  assert.ok(world.told.some((line) => /agent\.yaml:5: schedule\.when\.cron is "61 \* \* \* \*", which is no cron expression/.test(line)));
});

test('an agent.yaml that is a link makes no job', async () => {
  await using world = await openWorld();
  world.agentFile('real', 'task: Look.\n');
  fs.writeFileSync(path.join(world.root, 'planted.yaml'), 'version: 1\ntask: Look.\nschedule:\n  when: { every: 1s }\n');
  const dir = path.join(world.home.tenantDir(tenant), 'agents', 'linked');
  fs.mkdirSync(dir);
  fs.symlinkSync(path.join(world.root, 'planted.yaml'), path.join(dir, 'agent.yaml'));

  await world.scheduler.tick();

  assert.deepEqual(world.schedules.list(), []);
});

test('a job that a file makes is not removed by hand, for it would come back', async () => {
  await using world = await openWorld();
  world.agentFile('scout', 'task: Look.\nschedule:\n  when: { every: 1m }\n');
  await world.scheduler.tick();

  await assert.rejects(removeJob(world.ctx, human, { tenant, id: 'scout' }), { code: 'control.job-in-file' });
});

test('a started scheduler fires by itself, and a stopped one no more', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { every: '1m' } }) });
  world.nowMs += minute;
  const scheduler = openScheduler({ ...world.ctx, pollMs: 5 });

  scheduler.start();
  while (world.admitted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await scheduler.stop();
  world.nowMs += 10 * minute;
  await new Promise((resolve) => setTimeout(resolve, 30));

  assert.equal(world.admitted.length, 1);
});

test('rounds that hang or fail are told by how long the last good one is ago', async () => {
  let nowMs = 0;
  let fails = false;
  let hangs = false;
  await using world = await openWorld();
  const scheduler = world.another({
    pollMs: 1,
    monotonicMs: () => nowMs,
    schedules: {
      ...world.schedules,
      due: (ms) => {
        if (fails) throw new RetryableError('test.full', 'The disk is full.');
        return world.schedules.due(ms);
      },
    },
    tenants: async () => (hangs ? await new Promise(() => {}) : [tenant]),
  });
  const silentAfter = async (ms: number): Promise<number> => {
    // The files of agents are looked at every two seconds of the clock that tells the time.
    world.nowMs += 3 * second;
    nowMs += ms;
    await sleep(50);
    return scheduler.silentMs();
  };

  scheduler.start();
  const good = await silentAfter(100_000);
  fails = true;
  const failing = await silentAfter(100_000);
  fails = false;
  const again = await silentAfter(100_000);
  hangs = true;
  const hanging = await silentAfter(100_000);

  assert.deepEqual([good, failing, again, hanging], [0, 100_000, 0, 100_000]);
});

test('a tenant has 200 jobs at most, or as many as its quota says, and the refusal names the quota', async () => {
  await using world = await openWorld();
  const add = async (id: string, most?: number): Promise<unknown> =>
    await addJob(most === undefined ? world.ctx : { ...world.ctx, maxSchedules: () => most }, human, {
      job: jobOf({ id, when: { every: '1d' } }),
    });
  for (let n = 0; n < 200; n += 1) await add(`job-${n}`);

  await assert.rejects(add('one-more'), { code: 'control.over-quota', message: /200 jobs of the scheduler and has 200.*quota schedules/ });
  await assert.rejects(add('one-more', 3), { code: 'control.over-quota' });
  await assert.rejects(add('job-7'), { code: 'control.job-exists' });
  await add('one-more', 201);

  assert.equal(world.schedules.count(tenant), 201);
  assert.equal((await world.events('schedule.change')).length, 201);
});

test('sabotage: where the count before lies, as between two processes, the table still holds the bound', async () => {
  await using world = await openWorld();
  const lying = { ...world.ctx, schedules: { ...world.schedules, count: () => 0 }, maxSchedules: () => 1 };
  await addJob(lying, human, { job: jobOf({ id: 'first', when: { every: '1d' } }) });

  await assert.rejects(addJob(lying, human, { job: jobOf({ id: 'second', when: { every: '1d' } }) }), { code: 'control.over-quota' });

  assert.equal(world.schedules.count(tenant), 1);
});
