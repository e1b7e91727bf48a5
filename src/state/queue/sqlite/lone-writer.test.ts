import assert from 'node:assert/strict';
import { mkdtempSync, statSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../contracts/clock.ts';
import type { Database } from '../../database.ts';
import { openQueue } from '../../open-queue.ts';
import type { Lease, Queue } from '../../queue.ts';
import { message, takeOne, tasks } from '../fixtures/queue-world.ts';
import { LoneWriter } from './lone-writer.ts';
import { openQueueFile } from './open-store.ts';
import type { Asked, GivenTask, NewTask } from './operations.ts';
import { runBatch } from './run-batch.ts';
import { Store } from './store.ts';

function scratchFile(): string {
  return path.join(mkdtempSync(path.join(os.tmpdir(), 'queue-')), 'queue.db');
}

async function open(file: string): Promise<Queue> {
  return openQueue({ driver: 'sqlite', file, clock: systemClock });
}

const at = { wallMs: 1_800_000_000_000, monotonicMs: 1000 };

function newTask(number: number): NewTask {
  const id = `tsk_${number}`;
  const rest = { message: `"${id}"`, priority: 5, notBeforeMs: undefined, maxDeliveries: 5 };
  return { tenant: 'default', agentType: 'agent', shard: 0, id, key: id, ...rest };
}

function putOf(...given: readonly NewTask[]): Asked {
  return { kind: 'put', ask: { tasks: given } };
}

function leaseOf(max: number, leaseMs = 60_000): Asked {
  return { kind: 'lease', ask: { worker: 'w', leaseMs, max, scope: {} } };
}

interface World {
  /** What the writer's thread does its work with. */
  readonly thread: Store;
  readonly lone: LoneWriter;
  readonly mine: Database;
  /** The second task, in the hands of w. */
  readonly given: GivenTask;
}

/** Three tasks, of which the first is leased, and a lone writer that may give fences. */
function openWorld(file = scratchFile()): World {
  const thread = new Store(openQueueFile(file));
  const mine = openQueueFile(file);
  const lone = new LoneWriter(mine);
  runBatch(thread, [
    { kind: 'put', ask: { tasks: [newTask(1), newTask(2), newTask(3)] }, at },
    { ...leaseOf(1), at },
  ]);
  lone.allowFences();
  const [given] = runBatch(thread, [{ ...leaseOf(1), at }]).replies.flatMap((reply) =>
    'answer' in reply ? (reply.answer as readonly GivenTask[]) : [],
  );
  return { thread, lone, given: given!, mine };
}

function rows(database: Database): unknown {
  return [database.all('SELECT * FROM task'), database.all('SELECT * FROM lane'), database.all('SELECT * FROM note')];
}

const held = ({ fence }: GivenTask): { tenant: string; id: string; fence: number } => ({ tenant: 'default', id: 'tsk_2', fence });

const forTheThread: Readonly<Record<string, (world: World) => readonly Asked[]>> = {
  'a put while nobody knows how long a sync takes': () => [putOf(newTask(9))],
  'a put when the last sync was slow': ({ lone }) => {
    lone.noteSync(0.1);
    lone.noteSync(20);
    return [putOf(newTask(9))];
  },
  'a put of two tasks, however fast syncs are': ({ lone }) => {
    lone.noteSync(0.1);
    return [putOf(newTask(8), newTask(9))];
  },
  'a put of much text, however fast syncs are': ({ lone }) => {
    lone.noteSync(0.1);
    return [putOf({ ...newTask(9), message: JSON.stringify('x'.repeat(70_000)) })];
  },
  'a put beside an ack, which need not wait for a sync': ({ lone, given }) => {
    lone.noteSync(0.1);
    return [putOf(newTask(9)), { kind: 'ack', ask: held(given) }];
  },
  'a nak that makes dead, which must be synced': ({ given }) => [
    { kind: 'nak', ask: { ...held(given), why: { delayMs: 0, reason: 'no', isDead: true } } },
  ],
  'an ack beside a nak that makes dead': ({ given }) => [
    { kind: 'ack', ask: held(given) },
    { kind: 'nak', ask: { ...held(given), id: 'tsk_1', fence: given.fence - 1, why: { delayMs: 0, reason: 'no', isDead: true } } },
  ],
  'a removal': () => [{ kind: 'remove', ask: { scope: {}, state: undefined } }],
  'a lease of many tasks': () => [leaseOf(17)],
  'a crowd': ({ given }) => Array.from({ length: 5 }, () => ({ kind: 'ack', ask: held(given) })),
  'a lease when the synced fences are used up': ({ thread }) => {
    thread.database.run("UPDATE note SET first = second WHERE name = 'fences'");
    return [leaseOf(1)];
  },
  'a lease while something is due, of which there may be many': ({ thread }) => {
    thread.database.run('UPDATE task SET end_monotonic_ms = ? WHERE state = 3', at.monotonicMs);
    return [leaseOf(1)];
  },
  'anything behind a lock': ({ thread, given }) => {
    thread.database.run('BEGIN IMMEDIATE');
    return [{ kind: 'ack', ask: held(given) }];
  },
};
for (const [name, prepare] of Object.entries(forTheThread)) {
  test(`the lone writer leaves ${name} to the writer’s thread, and has changed nothing`, () => {
    const world = openWorld();
    const asked = prepare(world);
    const before = rows(world.thread.database);

    assert.equal(world.lone.run(asked, at), undefined);

    assert.deepEqual(rows(world.thread.database), before);
    world.mine[Symbol.dispose]();
    world.thread.database[Symbol.dispose]();
  });
}

test('the lone writer leases, extends, acks and gives back, with fences after those of the thread', () => {
  const { thread, mine, lone, given } = openWorld();

  const leased = lone.run([leaseOf(1)], at)?.answers[0] as readonly GivenTask[];
  const why = { delayMs: 0, reason: 'busy' };
  const third = { ...held(leased[0]!), id: 'tsk_3' };
  assert.deepEqual(lone.run([{ kind: 'extend', ask: { ...third, leaseMs: 1000 } }], at)?.answers, [true]);
  const last = lone.run(
    [
      { kind: 'nak', ask: { ...third, why } },
      { kind: 'ack', ask: held(given) },
    ],
    at,
  );

  assert.equal(leased[0]!.fence, given.fence + 1);
  assert.deepEqual([last?.answers, last?.mayBeReady], [['ready', true], true]);
  assert.deepEqual(thread.database.get('SELECT ready, leased FROM lane'), Object.assign(Object.create(null), { ready: 1, leased: 1 }));
  mine[Symbol.dispose]();
  thread.database[Symbol.dispose]();
});

/** What a connection was asked to commit with a sync, and what without. */
function spyOn(database: Database): { readonly database: Database; readonly commits: ('synced' | 'relaxed')[] } {
  const commits: ('synced' | 'relaxed')[] = [];
  let isRelaxed = false;
  const spy: Database = {
    ...database,
    relaxed: (work) => {
      isRelaxed = true;
      try {
        return database.relaxed(work);
      } finally {
        isRelaxed = false;
      }
    },
    transact: (work) => {
      const result = database.transact(work);
      const { synchronous } = database.get('PRAGMA synchronous') as { synchronous: number };
      assert.equal(synchronous, isRelaxed ? 1 : 2);
      commits.push(isRelaxed ? 'relaxed' : 'synced');
      return result;
    },
  };
  return { database: spy, commits };
}

test('a lone put is stored with a sync, also after leases and acks without one, while syncs are fast', () => {
  const { thread, mine, given } = openWorld();
  const { database, commits } = spyOn(mine);
  const lone = new LoneWriter(database);
  lone.allowFences();

  lone.run([{ kind: 'ack', ask: held(given) }], at);
  lone.noteSync(0.1);
  const put = lone.run([putOf(newTask(9))], at);
  lone.run([leaseOf(1)], at);
  lone.noteSync(0.1);
  const again = lone.run([putOf(newTask(9))], at);

  assert.deepEqual(put?.answers, [{ outcomes: [{ id: 'tsk_9', isNew: true }] }]);
  assert.equal(put?.mayBeReady, true);
  assert.deepEqual(again?.answers, [{ outcomes: [{ id: 'tsk_9', isNew: false }] }]);
  assert.deepEqual(commits, ['relaxed', 'synced', 'relaxed', 'synced']);
  mine[Symbol.dispose]();
  thread.database[Symbol.dispose]();
});

test('one slow sync in the caller’s thread gives the puts after it to the writer’s thread until that reports a fast one', () => {
  const { thread, mine } = openWorld();
  let waitMs = 0;
  const slow: Database = {
    ...mine,
    transact: (work) => {
      const result = mine.transact(work);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, waitMs);
      return result;
    },
  };
  const lone = new LoneWriter(slow);
  lone.allowFences();
  const isDone = (number: number): boolean => lone.run([putOf(newTask(number))], at) !== undefined;

  lone.noteSync(0.1);
  waitMs = 5;
  const whileSlow = [isDone(11), isDone(12), isDone(13)];
  waitMs = 0;
  lone.noteSync(0.1);

  assert.deepEqual(whileSlow, [true, false, false]);
  assert.equal(isDone(14), true);
  mine[Symbol.dispose]();
  thread.database[Symbol.dispose]();
});

for (const isAllowedTooEarly of [false, true]) {
  const name = isAllowedTooEarly
    ? 'sabotage: a lone writer that gives fences before its process synced a bound repeats those of before the power cut'
    : 'before its process synced a bound for them the lone writer gives no fences';
  test(name, () => {
    const { thread, mine, given } = openWorld();
    // What a power cut leaves of transactions without a sync: nothing.
    thread.database.run('UPDATE task SET state = 2, fence = 0, worker = NULL, end_monotonic_ms = NULL WHERE state = 3');
    thread.database.run("UPDATE note SET first = 1 WHERE name = 'fences'");
    thread.database.run('UPDATE lane SET ready = 3, leased = 0, is_waiting = 1');

    const next = new LoneWriter(mine);
    if (isAllowedTooEarly) next.allowFences();
    const [leased] = (next.run([leaseOf(1)], at)?.answers ?? []) as (readonly GivenTask[])[];

    assert.equal(leased !== undefined && leased[0]!.fence <= given.fence, isAllowedTooEarly);
    mine[Symbol.dispose]();
    thread.database[Symbol.dispose]();
  });
}

/** A queue whose next request may be done by its caller's thread. */
async function openWarm(file: string): Promise<{ readonly queue: Queue; readonly lease: Lease }> {
  const queue = await open(file);
  await queue.put(tasks(2, {}, { maxDeliveries: 1_000_000 }));
  await takeOne(queue);
  return { queue, lease: await takeOne(queue) };
}

test('behind the lock of another process a request waits without holding up its thread, and is done when the lock is free', async () => {
  const file = scratchFile();
  const { queue, lease } = await openWarm(file);
  const other = openQueueFile(file);
  let isAcked = false;
  const beganMs = performance.now();

  other.run('BEGIN IMMEDIATE');
  const acking = queue.ack(lease).then(() => (isAcked = true));
  for (let turn = 0; turn < 20; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  assert.equal(isAcked, false);
  // SQLite would wait for five seconds; without it this takes one millisecond.
  assert.ok(performance.now() - beganMs < 4500, 'the thread was held up');
  other.run('COMMIT');
  await acking;

  assert.equal((await queue.list({ state: 'done' })).length, 1);
  other[Symbol.dispose]();
  await queue[Symbol.asyncDispose]();
});

test('a caller that waits for nothing but the queue leaves the event loop its turns', async () => {
  const { queue, lease } = await openWarm(scratchFile());
  const loop = { hadTurn: false };
  setImmediate(() => (loop.hadTurn = true));

  let asked = 0;
  for (; asked < 1000 && !loop.hadTurn; asked += 1) await queue.extend(lease, 60_000);

  assert.ok(asked < 100, `${asked} requests before the event loop had its turn`);
  await queue[Symbol.asyncDispose]();
});

test('the log beside the file stays small, also when everything is done by lone requests', async () => {
  const file = scratchFile();
  const { queue, lease } = await openWarm(file);

  for (let round = 0; round < 5000; round += 1) {
    await queue.extend(lease, 60_000);
    await new Promise((resolve) => setImmediate(resolve));
  }

  // Some 16 MiB between two checkpoints; without any it would be 40.
  assert.ok(statSync(`${file}-wal`).size < 24 * 1024 * 1024, `${statSync(`${file}-wal`).size} bytes`);
  await queue[Symbol.asyncDispose]();
});

test('what one tick asks for beyond a few is done by the thread, in the order in which it was asked for', async () => {
  const { queue, lease } = await openWarm(scratchFile());

  const results = await Promise.allSettled([
    queue.extend(lease, 1000),
    queue.ack(lease),
    queue.extend(lease, 1000),
    queue.ack(lease),
    queue.put([{ message: message() }]),
    queue.nak(lease, { delayMs: 0, reason: 'late' }),
  ]);

  assert.deepEqual(
    results.map(({ status }) => status),
    ['fulfilled', 'fulfilled', 'rejected', 'fulfilled', 'fulfilled', 'rejected'],
  );
  await queue[Symbol.asyncDispose]();
});
