import assert from 'node:assert/strict';
import { copyFileSync, existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { Database } from '../../database.ts';
import { endLeasesOfOldBoot, openQueueFile } from './open-store.ts';
import type { GivenTask, NewTask, Operations, Request } from './operations.ts';
import { runBatch } from './run-batch.ts';
import { Store } from './store.ts';

/**
 * A disk that a power cut sets back to its last sync: what was synced is copied aside, and `cut` puts it back. SQLite's
 * log only grows between two checkpoints, which sync by themselves, so that is what a real one may do at worst.
 */
class Disk {
  readonly file = path.join(mkdtempSync(path.join(os.tmpdir(), 'power-')), 'queue.db');
  /** Sabotage: nothing is synced, whatever asks for it. */
  isForgetful = false;
  #database: Database | undefined;
  #isRelaxed = false;

  open(): Store {
    const database = openQueueFile(this.file);
    this.#database = database;
    this.#sync();
    return new Store({
      ...database,
      relaxed: (work) => {
        this.#isRelaxed = true;
        try {
          return database.relaxed(work);
        } finally {
          this.#isRelaxed = false;
        }
      },
      transact: (work) => {
        const result = database.transact(work);
        if (!this.#isRelaxed && !this.isForgetful) this.#sync();
        return result;
      },
    });
  }

  cut(): Store {
    this.#database?.[Symbol.dispose]();
    for (const end of ['', '-wal', '-shm']) rmSync(`${this.file}${end}`, { force: true });
    for (const end of ['', '-wal'])
      if (existsSync(`${this.file}.synced${end}`)) copyFileSync(`${this.file}.synced${end}`, `${this.file}${end}`);
    return this.open();
  }

  close(): void {
    this.#database?.[Symbol.dispose]();
  }

  #sync(): void {
    for (const end of ['', '-wal']) if (existsSync(`${this.file}${end}`)) copyFileSync(`${this.file}${end}`, `${this.file}.synced${end}`);
  }
}

let monotonicMs = 1000;

function ask<K extends Request['kind']>(store: Store, kind: K, what: Operations[K]['ask']): Operations[K]['answer'] {
  const request = { kind, ask: what, at: { wallMs: 1_800_000_000_000, monotonicMs } } as Request;
  const [reply] = runBatch(store, [request]).replies;
  assert.ok(reply !== undefined && 'answer' in reply, JSON.stringify(reply));
  return reply.answer;
}

function newTask(number: number): NewTask {
  const id = `tsk_${number}`;
  return {
    tenant: 'default',
    agentType: 'agent',
    shard: 0,
    id,
    key: id,
    message: `"${id}"`,
    priority: 5,
    notBeforeMs: undefined,
    maxDeliveries: 1e6,
  };
}

function lease(store: Store): readonly GivenTask[] {
  return ask(store, 'lease', { worker: 'w', leaseMs: 10, max: 3, scope: {} });
}

/** Puts, leases, acks and power cuts in a random order; whether a fence came twice or fell. */
function live(disk: Disk, random: () => number): { readonly puts: number; readonly fell: number; readonly lost: number } {
  const fences = new Map<string, number>();
  const stored: string[] = [];
  const acked = new Set<string>();
  let fell = 0;
  let store = disk.open();
  for (let step = 0; step < 400; step += 1) {
    const dice = random();
    monotonicMs += 20;
    if (dice < 0.15) {
      ask(store, 'put', { tasks: [newTask(stored.length)] });
      stored.push(`tsk_${stored.length}`);
    } else if (dice < 0.22) store = disk.cut();
    else {
      for (const { message, fence } of lease(store)) {
        const id = JSON.parse(message) as string;
        if (fence <= (fences.get(id) ?? 0)) fell += 1;
        fences.set(id, Math.max(fence, fences.get(id) ?? 0));
        if (random() < 0.1 && ask(store, 'ack', { tenant: 'default', id, fence })) acked.add(id);
      }
    }
  }
  const there = new Set((store.database.all('SELECT id FROM task') as { id: string }[]).map(({ id }) => id));
  disk.close();
  return { puts: stored.length, fell, lost: stored.filter((id) => !there.has(id)).length };
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

for (const seed of [1, 2, 3]) {
  test(`after power cuts every task that put resolved for is there, and fences have grown all the same (seed ${seed})`, () => {
    const { puts, fell, lost } = live(new Disk(), randomFrom(seed));

    assert.ok(puts > 20);
    assert.equal(lost, 0);
    assert.equal(fell, 0);
  });
}

for (const isForgetful of [false, true]) {
  const name = isForgetful
    ? 'sabotage: without a synced bound of fences, a power cut gives the same ones again'
    : 'the first delivery after a power cut has a larger fence than the one that was lost';
  test(name, () => {
    const disk = new Disk();
    let store = disk.open();
    ask(store, 'put', { tasks: [newTask(1)] });
    disk.isForgetful = isForgetful;
    lease(store);
    monotonicMs += 20;
    const [before] = lease(store);
    assert.equal(before!.delivery, 2);

    store = disk.cut();
    monotonicMs += 20;
    const [after] = lease(store);

    assert.equal(after!.delivery, isForgetful ? 1 : 2);
    assert.equal(after!.fence > before!.fence, !isForgetful);
    disk.close();
  });
}

test('when the machine starts again its leases and delays end, for their holders are dead and its clock counts anew', () => {
  const disk = new Disk();
  monotonicMs = 9_000_000;
  const store = disk.open();
  ask(store, 'put', { tasks: [newTask(1), newTask(2)] });
  const [first] = lease(store);
  ask(store, 'nak', { tenant: 'default', id: 'tsk_1', fence: first!.fence, why: { delayMs: 3_600_000, reason: 'later' } });
  assert.equal(lease(store).length, 0);

  monotonicMs = 20_000;
  endLeasesOfOldBoot(store.database, monotonicMs);

  assert.equal(lease(store).length, 2);
  disk.close();
});
