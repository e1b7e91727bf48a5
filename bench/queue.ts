import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import type { Queue } from '../src/state/queue.ts';
import { benchTask, leaseOf, openClawhold, takeAll } from './queue/clawhold.ts';
import type { Contender } from './queue/contender.ts';
import { openGraphile } from './queue/graphile.ts';
import { openPlainjob } from './queue/plainjob.ts';

/**
 * The queue beside graphile-worker (registry's PostgreSQL) and plainjob, on this disk, now:
 * `node bench/queue.ts [--dir FOLDER] [--rounds N] [--tasks N] [--large N]`. Rounds alternate between the contenders; medians count.
 */
const { values: flags } = parseArgs({
  options: {
    dir: { type: 'string', default: os.tmpdir() },
    rounds: { type: 'string', default: '5' },
    tasks: { type: 'string', default: '3000' },
    large: { type: 'string', default: '1000000' },
  },
});
const rounds = Number(flags.rounds);
const tasks = Number(flags.tasks);
const large = Number(flags.large);
const root = fs.mkdtempSync(path.join(flags.dir, 'bench-queue-'));
fs.chmodSync(root, 0o711);

const median = (numbers: readonly number[]): number => quantile(numbers, 0.5);

function quantile(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? 0;
}

async function perSecond(count: number, work: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await work();
  return (count / (performance.now() - start)) * 1000;
}

async function addAll(contender: Contender, count: number, atOnce: number): Promise<void> {
  let left = count;
  const adder = async (): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await contender.add();
    }
  };
  await Promise.all(Array.from({ length: atOnce }, adder));
}

/** From the call that adds to an idle consumer's handler; and from when the add was acknowledged. */
async function startLatency(contender: Contender, samples: number): Promise<{ readonly call: number; readonly stored: number }> {
  let begun: PromiseWithResolvers<number> = Promise.withResolvers<number>();
  await using _consumer = await contender.consume(() => begun.resolve(performance.now()));
  const call: number[] = [];
  const stored: number[] = [];
  for (let sample = 0; sample < samples; sample += 1) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    begun = Promise.withResolvers<number>();
    const start = performance.now();
    await contender.add();
    const added = performance.now();
    const end = await begun.promise;
    call.push(end - start);
    stored.push(Math.max(0, end - added));
  }
  return { call: median(call), stored: median(stored) };
}

const measures = [
  'put one by one /s',
  'put, 32 at once /s',
  'claim + ack one by one /s',
  'claim + ack grouped /s',
  'start p50 from put ms',
  'start p50 from stored ms',
];

async function round(contender: Contender): Promise<number[]> {
  const oneByOne = await perSecond(tasks / 3, () => addAll(contender, tasks / 3, 1));
  const together = await perSecond(tasks, () => addAll(contender, tasks, 32));
  const single = await perSecond((tasks * 4) / 3, () => contender.drainOneByOne((tasks * 4) / 3));
  await addAll(contender, tasks, 32);
  const grouped = await perSecond(tasks, () => contender.drainGrouped(tasks));
  const latency = await startLatency(contender, 100);
  return [oneByOne, together, single, grouped, latency.call, latency.stored];
}

async function besideOthers(): Promise<void> {
  const contenders: Contender[] = [
    await openClawhold(path.join(root, 'queue.db')),
    await openGraphile(path.join(root, 'postgres')),
    openPlainjob(path.join(root, 'plainjob.db'), true),
    openPlainjob(path.join(root, 'plainjob-relaxed.db'), false),
  ];
  const results = new Map<string, number[][]>(contenders.map(({ name }) => [name, []]));
  for (let count = 0; count < rounds; count += 1) {
    for (const contender of contenders) results.get(contender.name)?.push(await round(contender));
  }
  console.log(`| ${['queue', ...measures].join(' | ')} |\n|${'---|'.repeat(measures.length + 1)}`);
  for (const [name, all] of results) {
    const cells = measures
      .map((_, index) => median(all.map((row) => row[index] ?? 0)))
      .map((value) => (value > 100 ? Math.round(value) : value.toFixed(2)));
    console.log(`| ${[name, ...cells].join(' | ')} |`);
  }
  for (const contender of contenders) await contender[Symbol.asyncDispose]();
}

async function fill(queue: Queue, count: number, make: () => ReturnType<typeof benchTask>): Promise<void> {
  for (let done = 0; done < count; done += 1000) await queue.put(Array.from({ length: Math.min(1000, count - done) }, make));
}

/** Claim + ack one by one, alternating between a short queue, a long one, and a short one beside as many scheduled tasks. */
async function growth(): Promise<void> {
  const names = ['1 k ready', `${large} ready`, `1 k ready beside ${large} scheduled`];
  const queues = await Promise.all(names.map((_, index) => openClawhold(path.join(root, `growth-${index}.db`))));
  const later = Date.now() + 86_400_000;
  for (const { queue } of queues) await fill(queue, 1000, benchTask);
  await fill(queues[1]!.queue, large - 1000, benchTask);
  await fill(queues[2]!.queue, large, () => benchTask('default', { notBeforeMs: later }));
  const all = names.map((): { single: number; grouped: number }[] => []);
  for (let count = 0; count < rounds * 2; count += 1) {
    for (const [index, { queue }] of queues.entries()) {
      await fill(queue, 800, benchTask);
      const single = await perSecond(300, () => takeAll(queue, 300, 1));
      const grouped = await perSecond(500, () => takeAll(queue, 500, 100));
      all[index]?.push({ single, grouped });
    }
  }
  console.log('\n| queued | claim + ack one by one /s | claim + ack grouped /s |\n|---|---|---|');
  for (const [index, name] of names.entries()) {
    const rows = all[index] ?? [];
    console.log(
      `| ${name} | ${Math.round(median(rows.map(({ single }) => single)))} | ${Math.round(median(rows.map(({ grouped }) => grouped)))} |`,
    );
  }
  await fairShare(queues[1]!.queue);
  for (const contender of queues) await contender[Symbol.asyncDispose]();
}

/** How long a small tenant's task waits while one consumer, 5 ms a task and 4 at once, works on `large` tasks of another. */
async function fairShare(flooded: Queue): Promise<void> {
  const { queue: quiet, ...rest } = await openClawhold(path.join(root, 'quiet.db'));
  const waits: string[][] = [];
  for (const [name, queue] of [
    ['alone', quiet],
    [`beside ${large} tasks of another`, flooded],
  ] as const) {
    const stop = new AbortController();
    const started = new Map<string, number>();
    const consumer = async (): Promise<void> => {
      while (!stop.signal.aborted) {
        const leases = await queue.lease(leaseOf(1));
        if (leases.length === 0) await queue.waitForWork({}, 100, stop.signal);
        for (const lease of leases) {
          started.set(lease.message.task_id, performance.now());
          await new Promise((resolve) => setTimeout(resolve, 5));
          await queue.ack(lease);
        }
      }
    };
    const consumers = Array.from({ length: 4 }, consumer);
    const samples: number[] = [];
    for (let sample = 0; sample < 100; sample += 1) {
      const task = benchTask('small');
      await queue.put([task]);
      const added = performance.now();
      while (!started.has(task.message.task_id)) await new Promise((resolve) => setTimeout(resolve, 1));
      samples.push(Math.max(0, started.get(task.message.task_id)! - added));
    }
    stop.abort();
    await Promise.all(consumers);
    waits.push([name, median(samples).toFixed(1), quantile(samples, 0.99).toFixed(1)]);
  }
  console.log('\n| wait of a small tenant, 4 consumers of 5 ms a task | p50 ms | p99 ms |\n|---|---|---|');
  for (const row of waits) console.log(`| ${row.join(' | ')} |`);
  await rest[Symbol.asyncDispose]();
}

const load = os.loadavg()[0] ?? 0;
console.log(`${os.availableParallelism()} cores, load ${load.toFixed(1)} before the run, Node ${process.version}\n`);
await besideOthers();
if (large > 0) await growth();
fs.rmSync(root, { recursive: true });
