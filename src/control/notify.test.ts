import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { FixRequestError } from '../contracts/errors.ts';
import type { NotifyTarget } from '../contracts/schedule.ts';
import { addJob } from './change-jobs.ts';
import { jobOf, minute, openWorld, second, tenant, type World } from './fixtures/scheduler-world.ts';
import type { SchedulerContext } from './scheduler.ts';

const human = { kind: 'user', id: 'ann' } as const;
const url: NotifyTarget = { url: 'https://hooks.example.org/in', secret: 'NOTIFY' };

/** A world in which one run of a job with this target has ended. */
async function ended(notify: NotifyTarget, more: Partial<SchedulerContext> = {}): Promise<World> {
  const world = await openWorld(more);
  await addJob(world.ctx, human, { job: jobOf({ when: { at: '2026-06-01T00:01:00Z' }, notify }) });
  world.nowMs += minute;
  await world.scheduler.tick();
  world.end(world.admitted[0]!.run, 'done', 'All is tidy.\n');
  await world.scheduler.tick();
  return world;
}

const stateOf = (world: World) => world.ctx.deliveries.ofRun(world.admitted[0]!.run);

test('the output of a scheduled run goes to its address, signed, with an id', async () => {
  await using world = await ended(url);

  await world.scheduler.deliver();
  await world.scheduler.deliver();

  assert.equal(world.posts.length, 1);
  const { headers, body, ...post } = world.posts[0]!;
  const timestamp = headers['x-clawhold-timestamp'];
  assert.equal(post.url, 'https://hooks.example.org/in');
  const sent = JSON.parse(body);
  assert.deepEqual([sent.job, sent.agent, sent.state, sent.output, sent.isCut], ['nightly', 'main', 'done', 'All is tidy.\n', false]);
  assert.equal(sent.delivery, headers['x-clawhold-delivery']);
  const expected = createHmac('sha256', 'a key of the test').update(`${timestamp}.${body}`).digest('hex');
  assert.equal(headers['x-clawhold-signature'], `sha256=${expected}`);
  assert.equal(stateOf(world)?.state, 'delivered');
});

test('an attempt that fails is repeated with the same id, five times in all, and then it has failed', async () => {
  const ids = new Set<string | undefined>();
  let attempts = 0;
  await using world = await ended(url, {
    post: async ({ headers }) => {
      ids.add(headers['x-clawhold-delivery']);
      attempts += 1;
      return { status: 503 };
    },
  });

  for (const waitMs of [0, 10 * second, minute, 5 * minute, 30 * minute, 60 * minute]) {
    world.nowMs += waitMs;
    await world.scheduler.deliver();
    await world.scheduler.deliver();
  }

  assert.equal(attempts, 5);
  assert.equal(ids.size, 1);
  assert.equal(stateOf(world)?.state, 'failed');
  assert.match(stateOf(world)?.reason ?? '', /answered 503/);
});

const lasting = [
  { title: 'a refusal by the server', post: async () => ({ status: 403 }) },
  {
    title: 'an address that the broker refuses',
    post: async () => {
      throw new FixRequestError('egress.private-address', 'hooks.example.org is refused');
    },
  },
];
for (const { title, post } of lasting) {
  test(`${title} is not tried again`, async () => {
    await using world = await ended(url, { post });

    await world.scheduler.deliver();

    assert.equal(stateOf(world)?.state, 'failed');
  });
}

test('what a process had taken and not sent when it died is sent by the next one', async () => {
  await using world = await ended(url);
  world.ctx.deliveries.take(world.nowMs, world.nowMs + minute, 8);
  await world.another().deliver();
  assert.equal(world.posts.length, 0);

  world.nowMs += minute;
  await world.another().deliver();

  assert.equal(world.posts.length, 1);
});

test('without the secret nothing is sent unsigned', async () => {
  await using world = await ended({ url: 'https://hooks.example.org/in', secret: 'MISSING' });

  await world.scheduler.deliver();

  assert.equal(world.posts.length, 0);
  assert.match(stateOf(world)?.reason ?? '', /there is no secret MISSING/);
});

test('the output of a scheduled run replaces its file below the artifacts', async () => {
  await using world = await ended({ file: 'reports/daily.md' });

  await world.scheduler.deliver();

  const file = path.join(world.home.artifactsDir(tenant), 'reports', 'daily.md');
  assert.equal(fs.readFileSync(file, 'utf8'), 'All is tidy.\n');
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
});

test('the file of a run that did not end well says so first', async () => {
  await using world = await openWorld();
  await addJob(world.ctx, human, { job: jobOf({ when: { at: '2026-06-01T00:01:00Z' }, notify: { file: 'daily.md' } }) });
  world.nowMs += minute;
  await world.scheduler.tick();
  world.end(world.admitted[0]!.run, 'limited', 'Half of it.');
  await world.scheduler.tick();

  await world.scheduler.deliver();

  assert.match(
    fs.readFileSync(path.join(world.home.artifactsDir(tenant), 'daily.md'), 'utf8'),
    /^> Run run_\w+ ended as limited: it is limited\n\nHalf of it\.$/,
  );
});

test('a link below the artifacts leads no output elsewhere', async () => {
  await using world = await ended({ file: 'reports/daily.md' });
  const outside = path.join(world.root, 'outside');
  fs.mkdirSync(outside);
  fs.mkdirSync(world.home.artifactsDir(tenant), { recursive: true });
  fs.symlinkSync(outside, path.join(world.home.artifactsDir(tenant), 'reports'));

  await world.scheduler.deliver();

  assert.deepEqual(fs.readdirSync(outside), []);
  assert.equal(stateOf(world)?.state, 'failed');
});
