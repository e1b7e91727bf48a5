import assert from 'node:assert/strict';
import { test } from 'node:test';
import { queryObjects } from 'node:v8';
import { newSessionId } from '../../src/contracts/ids.ts';
import { taskIdOf } from '../../src/contracts/task.ts';
import { RetryableError } from '../../src/contracts/errors.ts';
import { silentLog, type Log } from '../../src/contracts/log.ts';
import { requeueTasks } from '../../src/control/requeue-tasks.ts';
import type { ModelClient } from '../../src/contracts/model.ts';
import type { Queue } from '../../src/state/queue.ts';
import type { ExecutorContext } from '../../src/worker/execute-tasks.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { journalOf, newInstallation } from './installation.ts';
import { queueWorld } from './queue-world.ts';

/** What an executor needs of a queue, for tests that change a part of it. */
function passing(queue: Queue): ExecutorContext['queue'] {
  return {
    lease: async (request) => await queue.lease(request),
    extend: async (lease, ms) => await queue.extend(lease, ms),
    waitForWork: async (...args) => await queue.waitForWork(...args),
    ack: async (lease) => await queue.ack(lease),
    nak: async (lease, why) => await queue.nak(lease, why),
  };
}

const free = (model: string): string => `models:\n  test/${model}: { inputPer1M: 0, outputPer1M: 0 }\n`;

test('tasks on the queue become runs, each once, and are acknowledged', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl, llmExtra: free('model') });
  await using world = await queueWorld(one);
  const runs = await world.put(Array.from({ length: 12 }, (_, index) => `message ${index}`));

  world.executor();
  const outcomes = await world.settled(12);

  assert.deepEqual(
    new Set(outcomes.map(({ run, state, output }) => `${run} ${state} ${output}`)),
    new Set(runs.map((run) => `${run} done over`)),
  );
  assert.equal(server.requests.length, 12);
  for (const run of runs) {
    const row = world.worker.runs.get(run);
    assert.deepEqual([row?.state, row?.fence, row?.task], ['done', 1, taskIdOf(run)]);
    assert.ok(journalOf(world.worker.home.runDir(world.app.tenant, run)).every(({ fence }) => fence === 1));
  }
});

test('an executor keeps nothing of a run that is over', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl, llmExtra: free('model') });
  await using world = await queueWorld(one);
  world.executor();
  const work = async (count: number): Promise<void> => {
    const before = (await world.settled(0)).length;
    await world.put(Array.from({ length: count }, (_, index) => `message ${index}`));
    await world.settled(before + count);
  };
  // Every run makes several of each; collects the garbage first.
  const kept = (): readonly number[] => [AbortController, AbortSignal].map((made) => queryObjects(made, { format: 'count' }));
  await work(10);
  const before = kept();

  await work(40);

  for (const [index, count] of kept().entries()) assert.ok(count - before[index]! < 40, `${before.join(' and ')}, then ${count}`);
});

test('a task that is delivered again after its run is over changes nothing', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  let acks = 0;
  const acked = Promise.withResolvers<void>();
  const executor = world.executor({
    queue: {
      ...passing(world.queue),
      // The first acknowledgement is lost.
      ack: async (lease) => {
        acks += 1;
        if (acks === 1) await world.queue.nak(lease, { delayMs: 0, reason: 'lost' });
        else await world.queue.ack(lease).then(acked.resolve);
      },
    },
  });

  const [run] = await world.put(['hello']);
  await acked.promise;
  await executor.drain(1000);

  assert.equal(server.requests.length, 1);
  assert.equal(world.worker.runs.get(run!)?.fence, 1);
});

test('a run that waits for a human leaves the queue, and goes on by another task', async () => {
  await using server = await startOpenAiServer({
    turns: [{ toolCalls: [{ name: 'fs_write', args: { path: 'a.md', content: 'x' } }] }, { text: 'written' }],
  });
  using one = newInstallation({ openAi: server.baseUrl, agentYaml: 'grants:\n  fs.write: { ask: true }\n' });
  await using world = await queueWorld(one);
  const [run] = await world.put(['write a.md']);

  world.executor();
  const [parked] = await world.settled(1);
  const [question] = parked?.waiting ?? [];
  (await world.app.approvals()).answer(question as never, { state: 'approved', by: 'tester', nowMs: Date.now() });
  await world.resume(run!);
  const [, ended] = await world.settled(2);

  assert.deepEqual([parked?.state, ended?.state, ended?.output], ['waiting', 'done', 'written']);
  assert.equal(one.read('workspace/a.md'), 'x');
  assert.equal((await world.queue.get(world.app.tenant, taskIdOf(run!)))?.state, 'done');
});

test('runs of one session are worked on one after the other', async () => {
  let atOnce = 0;
  let most = 0;
  const slow = (model: ModelClient): ModelClient => ({
    ...model,
    call: async (...args) => {
      most = Math.max(most, (atOnce += 1));
      await new Promise((resolve) => setTimeout(resolve, 30));
      atOnce -= 1;
      return await model.call(...args);
    },
  });
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  const worker = { ...world.worker, openModel: async (ref: string | undefined) => slow(await world.worker.openModel(ref)) };
  await world.put(['a', 'b', 'c'], { sessionId: newSessionId(1) });

  world.executor({ workerOf: async () => worker });
  const outcomes = await world.settled(3);

  assert.deepEqual([most, outcomes.map(({ state }) => state)], [1, ['done', 'done', 'done']]);
});

test('what may pass is tried again, what does not is the end of the run, and neither touches other runs', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  let failures = 0;
  const worker = {
    ...world.worker,
    openModel: async (ref: string | undefined) => {
      if (ref === 'test/model' && (failures += 1) === 1) throw new RetryableError('state.test', 'The disk is full. Make room.');
      return await world.worker.openModel(ref);
    },
  };
  const [retried] = await world.put(['hello']);
  const [refused] = await world.put(['hello'], { model: 'nowhere/model' });
  const [other] = await world.put(['hello']);

  world.executor({ workerOf: async () => worker });
  await world.settled(2);

  const rows = [retried, refused, other].map((run) => world.worker.runs.get(run!));
  assert.deepEqual(
    rows.map((row) => row?.state),
    ['done', 'failed', 'done'],
  );
  assert.match(rows[1]?.reason ?? '', /nowhere/);
});

test('a run that fails at every delivery is given up: its row says so, and the log says why', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  const worker = { ...world.worker, openModel: async () => await Promise.reject(new TypeError('a bug')) };
  const [run] = await world.put(['hello']);
  const said: unknown[] = [];
  const log: Log = { ...silentLog, error: (_message, fields) => void said.push(fields?.['reason']), with: () => log };

  world.executor({
    log,
    workerOf: async () => worker,
    queue: { ...passing(world.queue), nak: async (lease, why) => await world.queue.nak(lease, { ...why, delayMs: 0 }) },
  });
  while (world.worker.runs.get(run!)?.state !== 'failed') await new Promise((resolve) => setTimeout(resolve, 10));

  assert.match(world.worker.runs.get(run!)?.reason ?? '', /given up after 5 tries: an error that nobody expected, which the log has/);
  assert.deepEqual(said, Array(5).fill('a bug'));
  assert.equal((await world.queue.get(world.app.tenant, taskIdOf(run!)))?.state, 'dead');
});

test('a run that was given up, before it began or in the middle of it, goes on when a human requeues its dead task', async () => {
  for (const isBegun of [false, true]) {
    let isBroken = true;
    const turns: number[] = [];
    await using server = await startOpenAiServer({
      respond: ({ body }) => {
        const messages = (body['messages'] as unknown[]).length;
        turns.push(messages);
        return messages === 2 ? { toolCalls: [{ name: 'fs_write', args: { path: 'a.md', content: 'x' } }] } : { text: 'over' };
      },
    });
    using one = newInstallation({ openAi: server.baseUrl, agentYaml: 'workspace: workspace\ngrants: { fs.write: {} }\n' });
    await using world = await queueWorld(one);
    const broken = async (): Promise<never> => await Promise.reject(new TypeError('a bug'));
    const openModel = async (ref: string | undefined): Promise<ModelClient> => {
      if (isBroken && !isBegun) return await broken();
      const model = await world.worker.openModel(ref);
      return { ...model, call: async (...args) => (isBroken && args[0].messages.length > 2 ? await broken() : await model.call(...args)) };
    };
    const [run] = await world.put(['hello']);
    const state = (): string | undefined => world.worker.runs.get(run!)?.state;
    world.executor({
      workerOf: async () => ({ ...world.worker, openModel }),
      queue: { ...passing(world.queue), nak: async (lease, why) => await world.queue.nak(lease, { ...why, delayMs: 0 }) },
    });
    while (state() !== 'failed') await new Promise((resolve) => setTimeout(resolve, 10));

    isBroken = false;
    const requeued = await requeueTasks(
      { queue: world.queue, runsOf: () => world.worker.runs },
      { tenant: world.app.tenant, task: taskIdOf(run!) },
    );
    while ((await world.queue.get(world.app.tenant, taskIdOf(run!)))?.state !== 'done')
      await new Promise((resolve) => setTimeout(resolve, 10));

    assert.deepEqual([requeued, state()], [1, 'done'], isBegun ? 'begun' : 'not begun');
    assert.deepEqual(turns, [2, 4]);
  }
});

test('a drain gives back what it cannot finish, uncounted, and another executor goes on where it was', async () => {
  const requests: string[] = [];
  let isFirst = true;
  await using server = await startOpenAiServer({
    respond: ({ body }) => {
      const turn = (body['messages'] as unknown[]).length;
      requests.push(String(turn));
      return turn === 2 ? { toolCalls: [{ name: 'fs_write', args: { path: 'a.md', content: 'x' } }] } : { text: 'over' };
    },
  });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  const hanging = Promise.withResolvers<void>();
  const worker = {
    ...world.worker,
    openModel: async (ref: string | undefined): Promise<ModelClient> => {
      const model = await world.worker.openModel(ref);
      let calls = 0;
      const call: ModelClient['call'] = async (request, options) => {
        calls += 1;
        if (!isFirst || calls < 2) return await model.call(request, options);
        isFirst = false;
        hanging.resolve();
        return await new Promise((_, reject) =>
          options.signal.addEventListener('abort', () => reject(options.signal.reason), { once: true }),
        );
      };
      return { ...model, call };
    },
  };
  const [run] = await world.put(['write a.md']);
  const first = world.executor({ workerOf: async () => worker });
  await hanging.promise;

  await first.drain(0);
  const between = world.worker.runs.get(run!);
  const task = await world.queue.get(world.app.tenant, taskIdOf(run!));
  world.executor({ workerOf: async () => worker });
  const [outcome] = await world.settled(1);

  assert.deepEqual([between?.state, between?.owner, task?.state, task?.deliveries], ['accepted', undefined, 'ready', 0]);
  assert.deepEqual([outcome?.state, outcome?.output], ['done', 'over']);
  assert.equal(world.worker.runs.get(run!)?.fence, 2);
  assert.deepEqual(requests, ['2', '4'], 'the recorded answer was asked for again');
});

test('an error that is thrown in a run past all its calls stops that run alone, counts as a try, and is tried again', async () => {
  let isFirst = true;
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  await using world = await queueWorld(one);
  const worker = {
    ...world.worker,
    openModel: async (ref: string | undefined): Promise<ModelClient> => {
      const model = await world.worker.openModel(ref);
      if (ref !== 'test/throws' || !isFirst) return model;
      isFirst = false;
      // Nobody waits for this one.
      setTimeout(() => blamed.push(executor.blame(new TypeError('nobody caught this'))));
      const call: ModelClient['call'] = async (_, { signal }) =>
        await new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason), { once: true }));
      return { ...model, call };
    },
  };
  const blamed: boolean[] = [];
  const [crashing, other] = [(await world.put(['a'], { model: 'test/throws' }))[0], (await world.put(['b']))[0]];

  const executor = world.executor({ workerOf: async () => worker });
  await world.settled(2);

  assert.deepEqual([executor.blame(new Error('not in a run')), blamed], [false, [true]]);
  assert.equal(world.worker.runs.get(other!)?.fence, 1);
  assert.deepEqual([world.worker.runs.get(crashing!)?.state, world.worker.runs.get(crashing!)?.fence], ['done', 2]);
  assert.equal((await world.queue.get(world.app.tenant, taskIdOf(crashing!)))?.deliveries, 2);
});
