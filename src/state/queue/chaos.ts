import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { systemClock } from '../../contracts/clock.ts';
import type { TenantId } from '../../contracts/ids.ts';
import { openQueue, type QueueOptions } from '../open-queue.ts';
import type { Queue } from '../queue.ts';
import type { ChaosOrder } from './fixtures/chaos-process.ts';
import { openEffects } from './fixtures/effects.ts';

export interface ChaosSize {
  readonly tasks: number;
  readonly putters: number;
  readonly workers: number;
  readonly kills: number;
  readonly leaseMs: number;
}

/** How processes of the suite open the queue: everything but the clock. */
export type ChaosQueue = Omit<QueueOptions, 'clock' | 'monotonicMs'>;

const program = path.join(import.meta.dirname, 'fixtures', 'chaos-process.ts');

/**
 * What must hold for every driver whoever is killed, stopped or has a mad clock. Its processes are real, and so are the
 * signals.
 */
export function testQueueChaos(product: string, makeQueue: () => ChaosQueue, size: ChaosSize): void {
  test(`${product}: ${size.tasks} tasks survive ${size.kills} kill -9 of putters and workers with mad clocks: none lost, each effect once, no fence twice`, async () => {
    const world = new ChaosWorld(makeQueue(), size);
    await using queue = await world.open();
    const keys = Array.from({ length: size.tasks }, (_, index) => `key-${index}`);
    const putters = Array.from({ length: size.putters }, (_, index) => keys.filter((_key, at) => at % size.putters === index));
    for (const [index, share] of putters.entries()) world.start({ role: 'putter', name: `putter-${index}`, keys: share });
    for (let index = 0; index < size.workers; index += 1) world.start({ role: 'worker', name: `worker-${index}` });

    for (let kill = 0; kill < size.kills; kill += 1) await world.killOne();
    await world.untilDone(queue, keys.length);
    await world.stop();

    using effects = openEffects(world.effects);
    const counts = effects.counts();
    const stored = world.logged('stored');
    assert.equal(stored.size, size.tasks, 'every putter was told in the end that its tasks are stored');
    assert.deepEqual(
      keys.filter((key) => counts.get(key) !== 1),
      [],
      'each key had its effect exactly once',
    );
    assert.deepEqual(effects.repeated(), []);
    const left = await queue.counts();
    assert.equal(
      left.reduce((sum, { scheduled, ready, leased, dead }) => sum + scheduled + ready + leased + dead, 0),
      0,
    );
    assert.equal((await queue.find('large' as TenantId, 'key-0'))?.state, 'done');
  });

  test(`${product}: a stopped holder whose lease ran out wakes up, and its late effect and ack are refused`, async () => {
    const world = new ChaosWorld(makeQueue(), { ...size, leaseMs: 1000 });
    await using queue = await world.open();
    const putter = world.start({ role: 'putter', name: 'putter', keys: ['only'] });
    await once(putter, 'exit');
    const sleeper = world.start({ role: 'sleeper', name: 'sleeper' });
    await world.untilLogged('holds');
    world.start({ role: 'worker', name: 'worker' });
    await world.untilLogged('acked');

    sleeper.kill('SIGCONT');
    await once(sleeper, 'exit');
    await world.stop();

    const lines = world.lines('sleeper').map((line) => line.split(' ')[0]);
    assert.deepEqual(lines, ['ready', 'holds', 'fenced', 'lost']);
    using effects = openEffects(world.effects);
    assert.deepEqual([...effects.counts()], [['only', 1]]);
    assert.equal((await queue.find('large' as TenantId, 'only'))?.deliveries, 2);
  });
}

class ChaosWorld {
  readonly effects: string;
  readonly #dir = mkdtempSync(path.join(os.tmpdir(), 'queue-chaos-'));
  readonly #queue: ChaosQueue;
  readonly #size: ChaosSize;
  readonly #running = new Map<ChildProcess, Pick<ChaosOrder, 'role' | 'name' | 'keys'>>();
  readonly #names = new Set<string>();
  readonly #failures: string[] = [];

  constructor(queue: ChaosQueue, size: ChaosSize) {
    this.#queue = queue;
    this.#size = size;
    this.effects = path.join(this.#dir, 'effects.db');
    openEffects(this.effects)[Symbol.dispose]();
  }

  open(): Promise<Queue> {
    return openQueue({ ...this.#queue, clock: systemClock });
  }

  start({
    role,
    name,
    keys = [],
  }: {
    readonly role: ChaosOrder['role'];
    readonly name: string;
    readonly keys?: readonly string[];
  }): ChildProcess {
    const order: ChaosOrder = {
      queue: this.#queue,
      role,
      name,
      keys,
      log: this.#log(name),
      effects: this.effects,
      leaseMs: this.#size.leaseMs,
      isClockMad: true,
    };
    const child = spawn(process.execPath, [program, JSON.stringify(order)], { stdio: ['ignore', 'ignore', 'pipe'] });
    this.#names.add(name);
    this.#running.set(child, { role, name, keys });
    let errors = '';
    child.stderr.on('data', (bytes: Buffer) => (errors += bytes.toString()));
    child.once('exit', (code) => {
      this.#running.delete(child);
      if (code !== null && code !== 0) this.#failures.push(`${name} ended with ${code}: ${errors}`);
    });
    return child;
  }

  /** Kills one of those that run, whatever it is doing, and starts another in its place. */
  async killOne(): Promise<void> {
    await sleep(randomInt(150));
    const victims = [...this.#running];
    const victim = victims[randomInt(Math.max(1, victims.length))];
    if (victim === undefined) return;
    const [child, order] = victim;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    const stored = this.logged('stored');
    this.start({ ...order, keys: order.keys.filter((key) => !stored.has(key)) });
  }

  async untilDone(queue: Queue, tasks: number): Promise<void> {
    for (;;) {
      assert.deepEqual(this.#failures, []);
      const left = (await queue.counts()).reduce((sum, { scheduled, ready, leased }) => sum + scheduled + ready + leased, 0);
      if (left === 0 && this.logged('stored').size === tasks) return;
      await sleep(50);
    }
  }

  async untilLogged(word: string): Promise<void> {
    while (this.logged(word).size === 0) {
      assert.deepEqual(this.#failures, []);
      await sleep(20);
    }
  }

  async stop(): Promise<void> {
    for (const child of this.#running.keys()) {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    }
    assert.deepEqual(this.#failures, []);
  }

  lines(name: string): readonly string[] {
    return existsSync(this.#log(name)) ? readFileSync(this.#log(name), 'utf8').trimEnd().split('\n') : [];
  }

  /** Keys of which any process logged this word. */
  logged(word: string): ReadonlySet<string> {
    const lines = [...this.#names].flatMap((name) => this.lines(name)).map((line) => line.split(' '));
    return new Set(lines.flatMap(([first, key]) => (first === word && key !== undefined ? [key] : [])));
  }

  #log(name: string): string {
    return path.join(this.#dir, `${name}.log`);
  }
}
