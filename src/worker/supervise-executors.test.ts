import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog } from '../contracts/log.ts';
import { noMetrics } from '../contracts/metrics.ts';
import { parseTenantId } from '../contracts/ids.ts';
import { superviseExecutors, type ExecutorProcess, type SuperviseContext, type Supervisor } from './supervise-executors.ts';

interface World {
  readonly supervisor: Supervisor;
  readonly started: number[];
  /** Ends the last process of a slot. */
  end(slot: number, why: string): void;
  /** How many tasks are ready from now on. */
  ready(count: number): void;
  startedMany(count: number): Promise<void>;
}

function processOf(some: Pick<ExecutorProcess, 'pid' | 'ended' | 'stop' | 'kill'> & Partial<ExecutorProcess>): ExecutorProcess {
  return { heard: () => true, memoryBytes: () => undefined, ...some };
}

function world(count: number, change: Partial<SuperviseContext> = {}): World {
  const started: number[] = [];
  const ends = new Map<number, (why: string) => void>();
  let ready = 0;
  let woken = Promise.withResolvers<void>();
  const start = (slot: number): ExecutorProcess => {
    started.push(slot);
    const { promise, resolve } = Promise.withResolvers<string>();
    ends.set(slot, resolve);
    return processOf({ pid: 100 + started.length, ended: promise, stop: () => resolve('stopped'), kill: () => resolve('SIGKILL') });
  };
  const lane = { tenant: parseTenantId('default'), agentType: 'agent', scheduled: 0, leased: 0, dead: 0, isPaused: false };
  const supervisor = superviseExecutors({
    queue: {
      waitForWork: async (_scope, _maxMs, signal) => {
        if (ready > 0 || signal.aborted) return;
        await Promise.race([
          woken.promise,
          new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true })),
        ]);
      },
      counts: async () => [{ ...lane, ready }],
    },
    count,
    start,
    log: silentLog,
    metrics: noMetrics,
    stopMs: 1000,
    maxMemoryBytes: 1000,
    backoffMs: 4,
    ...change,
  });
  return {
    supervisor,
    started,
    end: (slot, why) => ends.get(slot)?.(why),
    ready: (many) => {
      ready = many;
      woken.resolve();
      woken = Promise.withResolvers();
    },
    startedMany: async (many) => {
      while (started.length < many) await new Promise((resolve) => setTimeout(resolve, 1));
    },
  };
}

test('a process that dies is started again', async () => {
  const { supervisor, started, end, startedMany } = world(2);

  end(1, 'SIGKILL');
  await startedMany(3);
  await supervisor.stop();

  assert.deepEqual(started, [0, 1, 1]);
  assert.deepEqual(supervisor.pids, []);
});

test('processes that ended for lack of work stay away until there is work, and as many come as there are tasks', async () => {
  const { supervisor, started, end, ready, startedMany } = world(3);

  for (const slot of [0, 1, 2]) end(slot, 'idle');
  await new Promise((resolve) => setTimeout(resolve, 20));
  const whileIdle = [...started];
  ready(1);
  await startedMany(4);
  await new Promise((resolve) => setTimeout(resolve, 20));
  const afterOne = [...started];
  ready(3);
  await startedMany(6);
  await supervisor.stop();

  assert.deepEqual(
    [whileIdle, afterOne],
    [
      [0, 1, 2],
      [0, 1, 2, 0],
    ],
  );
  assert.deepEqual(started.slice(4).toSorted(), [1, 2]);
});

test('a process that does not end when it is asked to is killed', async () => {
  const ended = Promise.withResolvers<string>();
  const start = (): ExecutorProcess => processOf({ pid: 1, ended: ended.promise, stop: () => {}, kill: () => ended.resolve('SIGKILL') });
  const { supervisor } = world(1, { start, stopMs: 5 });

  await supervisor.stop();

  assert.equal(await ended.promise, 'SIGKILL');
});

test('a process that hangs is killed and started again, and one that speaks now and then is not', async () => {
  const started: number[] = [];
  const looks: number[] = [];
  const start = (slot: number): ExecutorProcess => {
    started.push(slot);
    const isHanging = slot === 0 && started.filter((one) => one === 0).length === 1;
    const { promise, resolve } = Promise.withResolvers<string>();
    // The other one speaks at every third look only.
    const heard = (): boolean => !isHanging && (slot === 0 || looks.push(slot) % 3 === 0);
    return processOf({ pid: started.length, ended: promise, heard, stop: () => resolve('stopped'), kill: () => resolve('SIGKILL') });
  };
  const reasons: (string | undefined)[] = [];
  const metrics = { ...noMetrics, count: (_name: string, labels?: { readonly reason?: string }) => void reasons.push(labels?.reason) };
  const { supervisor } = world(2, { start, lookMs: 1, silentLooks: 4, metrics });

  while (started.length < 3 || looks.length < 30) await new Promise((resolve) => setTimeout(resolve, 1));
  await supervisor.stop();

  assert.deepEqual(started, [0, 1, 0]);
  assert.deepEqual(reasons, ['SIGKILL']);
});

test('a process that holds more memory than it may is killed and started again, and one at its bound is not', async () => {
  const started: number[] = [];
  const looks: number[] = [];
  const start = (slot: number): ExecutorProcess => {
    started.push(slot);
    const isLeaking = slot === 0 && started.filter((one) => one === 0).length === 1;
    const { promise, resolve } = Promise.withResolvers<string>();
    const memoryBytes = (): number | undefined => {
      looks.push(slot);
      return isLeaking ? 1001 : slot === 0 ? undefined : 1000;
    };
    return processOf({ pid: started.length, ended: promise, memoryBytes, stop: () => resolve('stopped'), kill: () => resolve('SIGKILL') });
  };
  const { supervisor } = world(2, { start, memoryLookMs: 1 });

  while (started.length < 3 || looks.length < 30) await new Promise((resolve) => setTimeout(resolve, 1));
  await supervisor.stop();

  assert.deepEqual(started, [0, 1, 0]);
});
