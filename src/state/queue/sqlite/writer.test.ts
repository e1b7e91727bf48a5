import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { openQueueFile } from './open-store.ts';
import type { GivenTask, Held, NewTask } from './operations.ts';
import { Writer } from './writer.ts';

interface World {
  readonly writer: Writer;
  readonly given: Held;
  /** So often something was done in this thread since the last time that this was asked. */
  doneHere(): boolean;
  /** What goes to the writer's thread from now on is under way until it is opened. */
  shut(): void;
  open(): void;
  extend(): Promise<boolean>;
}

const moment = { wallMs: 1_800_000_000_000, monotonicMs: 1000 };

function newTask(number: number): NewTask {
  const id = `tsk_${number}`;
  const rest = { message: `"${id}"`, priority: 5, notBeforeMs: undefined, maxDeliveries: 5 };
  return { tenant: 'default', agentType: 'agent', shard: 0, id, key: id, ...rest };
}

/** A writer whose thread has put three tasks and leased one, so that fences may be given here. */
async function openWorld(t: TestContext): Promise<World> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'queue-'));
  const file = path.join(dir, 'queue.db');
  const gate = `${file}.shut`;
  const database = openQueueFile(file);
  const program = new URL('../fixtures/gated-writer.ts', import.meta.url);
  const writer = new Writer({ file, program, database, now: () => moment, onReady: () => {} });
  t.after(async () => {
    rmSync(gate, { force: true });
    await writer[Symbol.asyncDispose]();
    database[Symbol.dispose]();
    rmSync(dir, { recursive: true });
  });
  await writer.send('put', { tasks: [newTask(1), newTask(2), newTask(3)] });
  const [given] = (await writer.send('lease', { worker: 'w', leaseMs: 60_000, max: 1, scope: {} })) as readonly [GivenTask];
  const held = { tenant: 'default', id: 'tsk_1', fence: given.fence };
  const changes = (): number => (database.get('SELECT total_changes() AS all_of_them') as { all_of_them: number }).all_of_them;
  let before = changes();
  return {
    writer,
    given: held,
    doneHere: () => {
      const now = changes();
      const isMore = now > before;
      before = now;
      return isMore;
    },
    shut: () => writeFileSync(gate, ''),
    open: () => rmSync(gate),
    extend: async () => await writer.send('extend', { ...held, leaseMs: 60_000 }),
  };
}

/** Requests one after the other: whether each was done in this thread. */
async function places(world: World, count: number): Promise<boolean[]> {
  const here: boolean[] = [];
  for (let round = 0; round < count; round += 1) {
    assert.equal(await world.extend(), true);
    here.push(world.doneHere());
  }
  return here;
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('short requests that come one by one are done in the caller’s thread from the first on', async (t) => {
  const world = await openWorld(t);

  assert.deepEqual(await places(world, 12), Array(12).fill(true));
});

test('while something is under way nothing is done in the caller’s thread, so that what was asked first is done first', async (t) => {
  const world = await openWorld(t);
  let answers = 0;
  const counted = async <T>(asked: Promise<T>): Promise<T> => await asked.finally(() => (answers += 1));
  world.shut();

  const put = counted(world.writer.send('put', { tasks: [newTask(4), newTask(5)] }));
  await turn();
  const extended = counted(world.extend());
  await turn();
  const acked = counted(world.writer.send('ack', world.given));
  await turn();
  const leased = counted(world.writer.send('lease', { worker: 'w', leaseMs: 1, max: 4, scope: {} }));
  await turn();

  assert.deepEqual([world.doneHere(), answers], [false, 0]);
  world.open();
  await put;
  // An extension after its ack would be refused, and a lease before the put would be of two tasks.
  assert.deepEqual([await extended, await acked, (await leased).length], [true, true, 4]);
  assert.equal(world.doneHere(), false);
});

test('after something was under way, requests are done in the caller’s thread again when eight found nothing under way', async (t) => {
  const world = await openWorld(t);
  const crowd = async (): Promise<void> => {
    world.shut();
    const first = world.writer.send('put', { tasks: [newTask(4), newTask(5)] });
    await turn();
    const second = world.extend();
    await turn();
    world.open();
    await Promise.all([first, second]);
  };

  await crowd();
  const after = await places(world, 11);
  await crowd();
  const part = await places(world, 5);
  await crowd();
  const again = await places(world, 11);

  const calm = [...Array(8).fill(false), true, true, true];
  assert.deepEqual([after, part, again], [calm, Array(5).fill(false), calm]);
});

test('requests of one turn are together and not under way for each other', async (t) => {
  const world = await openWorld(t);

  const both = await Promise.all([world.extend(), world.extend()]);

  assert.deepEqual([both, world.doneHere()], [[true, true], true]);
});
