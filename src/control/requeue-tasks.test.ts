import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunId, TaskId } from '../contracts/ids.ts';
import { givenUpReason } from '../contracts/run.ts';
import { taskIdOf } from '../contracts/task.ts';
import type { Runs } from '../state/runs.ts';
import { admit } from './admit.ts';
import { acme, beta, main, newWorld, principal, type World } from './fixtures/admit-world.ts';
import { requeueTasks, type RequeueContext } from './requeue-tasks.ts';

const gaveUp = givenUpReason(5, 'a bug');

interface GivenUp {
  readonly run: RunId;
  readonly task: TaskId;
}

/** A run whose task is dead, and whose row says so, as an executor leaves them. */
async function givenUp(world: World, tenant = acme): Promise<GivenUp> {
  const admission = await admit(world.ctx, principal(tenant), { agent: main, input: 'hello', door: 'http' });
  assert.ok(admission.outcome === 'admitted');
  const { run } = admission;
  for (const lease of await world.queue.lease({ worker: 'w', leaseMs: 60_000, max: 9 }))
    await world.queue.nak(lease, { delayMs: 0, reason: 'a bug', isDead: true });
  world.runs.update(run, { state: 'failed', reason: gaveUp, endedMs: world.nowMs });
  return { run, task: taskIdOf(run) };
}

function contextOf({ queue, runs }: World): RequeueContext {
  return { queue, runsOf: () => runs };
}

function rowOf(runs: Runs, run: RunId): readonly unknown[] {
  const row = runs.get(run);
  return [row?.state, row?.reason, row?.endedMs];
}

const waits = ['accepted', 'it was put on the queue again', undefined];

test('the rows of runs whose dead tasks are requeued say that they wait, before anybody can get one, and no other row', async () => {
  await using world = await newWorld();
  const [one, two, foreign] = [await givenUp(world), await givenUp(world), await givenUp(world, beta)];
  const seen: unknown[] = [];
  const queue: RequeueContext['queue'] = {
    get: async (...args) => await world.queue.get(...args),
    list: async (filter) => await world.queue.list(filter),
    requeue: async (scope) => {
      seen.push(rowOf(world.runs, one.run));
      return await world.queue.requeue(scope);
    },
  };

  const first = await requeueTasks({ ...contextOf(world), queue }, { tenant: acme, task: one.task });
  const others = [two, foreign].map(({ run }) => rowOf(world.runs, run));
  const rest = await requeueTasks(contextOf(world), { tenant: acme });
  const nothing = await requeueTasks(contextOf(world), { tenant: acme });

  assert.deepEqual([first, rest, nothing, seen], [1, 1, 0, [waits]]);
  assert.deepEqual(
    others.map(([state]) => state),
    ['failed', 'failed'],
  );
  assert.deepEqual([rowOf(world.runs, two.run), rowOf(world.runs, foreign.run)[0]], [waits, 'failed']);
});

test('a run that failed of itself keeps its row, and so does one whose row somebody else took', async () => {
  await using world = await newWorld();
  const [own, taken] = [await givenUp(world), await givenUp(world)];
  world.runs.update(own.run, { reason: 'the model refused to answer' });
  const runs: Pick<Runs, 'get' | 'takeOver'> = {
    get: (id) => {
      const row = world.runs.get(id);
      // Between look and change a worker begins: its fence is the next.
      if (id === taken.run && row !== undefined) world.runs.takeOver(id, row, { owner: 'w 1', fence: 7, state: 'running' });
      return row;
    },
    takeOver: (...args) => world.runs.takeOver(...args),
  };

  await requeueTasks({ queue: world.queue, runsOf: () => runs }, { tenant: acme });

  assert.deepEqual(rowOf(world.runs, own.run).slice(0, 2), ['failed', 'the model refused to answer']);
  assert.deepEqual([world.runs.get(taken.run)?.state, world.runs.get(taken.run)?.fence], ['running', 7]);
});

test('a task that was not requeued, because the queue failed or it is gone, has its row as it was', async () => {
  await using world = await newWorld();
  const [kept, removed] = [await givenUp(world), await givenUp(world)];
  const before = [kept, removed].map(({ run }) => rowOf(world.runs, run));
  const failing: RequeueContext['queue'] = {
    get: async (...args) => await world.queue.get(...args),
    list: async (filter) => await world.queue.list(filter),
    requeue: async ({ task }) => {
      if (task === undefined) throw new Error('the disk is full');
      await world.queue.remove({ tenant: acme, task });
      return await world.queue.requeue({ tenant: acme, task });
    },
  };
  const ctx = { ...contextOf(world), queue: failing };

  await assert.rejects(requeueTasks(ctx, { tenant: acme }), /the disk is full/);
  const count = await requeueTasks(ctx, { tenant: acme, task: removed.task });

  assert.equal(count, 0);
  assert.deepEqual(
    [kept, removed].map(({ run }) => rowOf(world.runs, run)),
    before,
  );
});
