import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import { parseArgs } from 'node:util';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { TestContext } from 'node:test';
import { endEntry, openWorld } from '../src/gateway/fixtures/gateway-world.ts';

/**
 * The gateway alone, on real stores: a run's events to many listeners at once, and what `GET /api/v1/runs/{run}` costs
 * beside a bare `node:http` server that answers the same bytes. Clients are in a thread of their own.
 *
 *     node bench/gateway.ts --listeners 1000 --events 50 --requests 20000
 */
interface Job {
  readonly kind: 'listen' | 'ask';
  readonly port: number;
  readonly head: string;
  readonly count: number;
  readonly connections: number;
}

const now = (): number => performance.timeOrigin + performance.now();

if (isMainThread) await main();
else if ((workerData as Job).kind === 'listen') listenAll(workerData as Job);
else await askAll(workerData as Job);

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      listeners: { type: 'string', default: '1000' },
      events: { type: 'string', default: '50' },
      requests: { type: 'string', default: '20000' },
    },
  });
  const cleanups: (() => unknown)[] = [];
  const world = await openWorld({ after: (work: () => unknown) => void cleanups.push(work) } as unknown as TestContext);
  const token = world.token('viewer');
  const listeners = Number(values.listeners);
  const events = Number(values.events);
  const run = world.addRun({ state: 'running' });
  const ref = { tenant: run.tenant, run: run.id };
  world.write(run, { kind: 'accepted' });
  const heading = `Host: 127.0.0.1:${world.port}\r\nAuthorization: Bearer ${token}\r\n\r\n`;

  const before = process.memoryUsage().rss;
  const job: Job = {
    kind: 'listen',
    port: world.port,
    head: `GET /api/v1/runs/${run.id}/events HTTP/1.1\r\n${heading}`,
    count: 0,
    connections: listeners,
  };
  const crowd = new Worker(new URL(import.meta.url), { workerData: job, execArgv: process.execArgv });
  await messageOf(crowd, 'ready');
  const after = process.memoryUsage().rss;
  const sleep = async (ms: number): Promise<void> => await new Promise((resolve) => setTimeout(resolve, ms));
  for (let i = 0; i < events; i += 1) {
    world.write(run, { kind: 'value', name: 'bench', sentAt: now() });
    world.ctx.feed.publish(ref, { type: 'nudge' });
    await sleep(100);
  }
  const each = (await askWorker(crowd, 'each')) as { p50: number; p99: number; last: number };
  const burst = 200;
  const start = now();
  world.write(run, ...Array.from({ length: burst }, () => ({ kind: 'value', name: 'burst', value: 'x'.repeat(200) })), endEntry('done'));
  world.ctx.feed.publish(ref, { type: 'nudge' });
  const end = (await messageOf(crowd, 'all')) as number;
  await crowd.terminate();

  const done = world.addRun();
  world.write(done, { kind: 'accepted' }, endEntry('done', 'x'.repeat(500)));
  const answer = (await world.ask('GET', `/api/v1/runs/${done.id}`, { token })).text;
  const bare = http.createServer((_request, response) => void response.setHeader('content-type', 'application/json').end(answer)); // sast-ok: a server of the benchmark, on loopback
  await new Promise<void>((resolve) => void bare.listen(0, '127.0.0.1', resolve));
  const target = (path: string, port: number): Job => ({
    kind: 'ask',
    port,
    head: `GET ${path} HTTP/1.1\r\n${heading}`,
    count: Number(values.requests),
    connections: 0,
  });
  const rows: string[] = [];
  for (const connections of [1, 8]) {
    const ours = await asked({ ...target(`/api/v1/runs/${done.id}`, world.port), connections });
    const health = await asked({ ...target('/healthz', world.port), connections });
    const theirs = await asked({ ...target('/', (bare.address() as AddressInfo).port), connections });
    rows.push(
      `| \`GET /runs/{run}\`, ${connections} at once | ${describe(ours)} | ${describe(theirs)} | ${(theirs.perSecond / ours.perSecond).toFixed(2)} × |`,
      `| \`GET /healthz\`, ${connections} at once | ${describe(health)} | | ${(theirs.perSecond / health.perSecond).toFixed(2)} × |`,
    );
  }
  bare.close();
  console.log(
    `| one event to ${listeners} listeners | p50 ${each.p50.toFixed(1)} ms | p99 ${each.p99.toFixed(1)} ms | the last of them, median ${each.last.toFixed(1)} ms |`,
  );
  console.log(
    `| ${burst} events to ${listeners} listeners at once | ${(end - start).toFixed(0)} ms | ${Math.round((burst * listeners) / (end - start))} k frames/s | ${((after - before) / listeners / 1024).toFixed(0)} KiB a listener, clients in the same process included |`,
  );
  console.log('\n| what | gateway | bare node:http, same bytes | ratio |\n|---|---|---|---|');
  for (const row of rows) console.log(row);
  for (const work of cleanups) await work();
}

interface Speed {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
}

function describe({ perSecond, p50, p99 }: Speed): string {
  return `${Math.round(perSecond)}/s, p50 ${p50.toFixed(2)} ms, p99 ${p99.toFixed(2)} ms`;
}

async function asked(job: Job): Promise<Speed> {
  const worker = new Worker(new URL(import.meta.url), { workerData: job, execArgv: process.execArgv });
  const speed = (await messageOf(worker, 'speed')) as Speed;
  await worker.terminate();
  return speed;
}

async function messageOf(worker: Worker, name: string): Promise<unknown> {
  return await new Promise((resolve) => {
    const hear = (message: { name: string; value: unknown }): void => {
      if (message.name !== name) return;
      worker.off('message', hear);
      resolve(message.value);
    };
    worker.on('message', hear);
  });
}

async function askWorker(worker: Worker, name: string): Promise<unknown> {
  const answer = messageOf(worker, name);
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
  worker.postMessage(name);
  return await answer;
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}

/** Listeners on raw sockets: they look for the time in each frame, and for the end. */
function listenAll({ port, head, connections }: Job): void {
  const delays: number[] = [];
  const byEvent = new Map<string, number>();
  let ready = 0;
  let ended = 0;
  const tell = (name: string, value: unknown): void => {
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
    parentPort?.postMessage({ name, value });
  };
  for (let i = 0; i < connections; i += 1) {
    const socket = net.connect(port, '127.0.0.1', () => socket.write(head));
    let rest = '';
    let isReady = false;
    socket.on('data', (part) => {
      const text = rest + part.toString('latin1');
      const frames = text.split('\n\n');
      rest = frames.pop() ?? '';
      for (const frame of frames) {
        const sent = /"sentAt":([\d.]+)/.exec(frame)?.[1];
        if (sent !== undefined) {
          const delay = now() - Number(sent);
          delays.push(delay);
          byEvent.set(sent, Math.max(byEvent.get(sent) ?? 0, delay));
        }
        if (!isReady && frame.includes('"accepted"')) {
          isReady = true;
          ready += 1;
          if (ready === connections) tell('ready', undefined);
        }
        if (frame.includes('event: end')) {
          ended += 1;
          if (ended === connections) tell('all', now());
        }
      }
    });
  }
  parentPort?.on('message', (name: string) => {
    const sorted = delays.toSorted((a, b) => a - b);
    const lasts = [...byEvent.values()].toSorted((a, b) => a - b);
    tell(name, { p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99), last: quantile(lasts, 0.5) });
  });
}

/** One request after the other on each connection. */
async function askAll({ port, head, count, connections }: Job): Promise<void> {
  const delays: number[] = [];
  const one = async (): Promise<void> => {
    const socket = net.connect(port, '127.0.0.1');
    await new Promise((resolve) => socket.once('connect', resolve));
    for (let i = 0; i < count / connections; i += 1) {
      const start = performance.now();
      socket.write(head);
      await new Promise<void>((resolve) => {
        let text = '';
        const hear = (part: Buffer): void => {
          text += part.toString('latin1');
          const end = text.indexOf('\r\n\r\n');
          const length = Number(/content-length: (\d+)/i.exec(text)?.[1] ?? 0);
          if (end === -1 || text.length < end + 4 + length) return;
          socket.off('data', hear);
          resolve();
        };
        socket.on('data', hear);
      });
      delays.push(performance.now() - start);
    }
    socket.destroy();
  };
  const start = performance.now();
  await Promise.all(Array.from({ length: connections }, one));
  const seconds = (performance.now() - start) / 1000;
  const sorted = delays.toSorted((a, b) => a - b);
  const value: Speed = { perSecond: delays.length / seconds, p50: quantile(sorted, 0.5), p99: quantile(sorted, 0.99) };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread has no origin.
  parentPort?.postMessage({ name: 'speed', value });
}
