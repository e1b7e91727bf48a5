import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { LoadClient } from './load-client.ts';

/**
 * The bundled server from outside: time to ready and idle memory, a turn through HTTP from the request to the run's end,
 * turns a second with many clients at once, and memory over many runs. Each run is admitted, queued, executed and on the
 * disk with journal and ledger; the model is a script that answers at once. Logs go to a file, as with systemd.
 *
 *     npm run build && node bench/serve.ts --starts 9 --turns 300 --seconds 5 --runs 10000 [--dir FOLDER]
 *
 * `--executors 'processes: 2, perProcess: 8'` measures with that under `serve.executors`; the processor's time is that of
 * the server's own process then. `--warm 0` measures turns a second in a server that has just started: V8 optimizes a function
 * after some 3,000 calls of it, so that many runs come before by default. `--keep` leaves the folder: to delete many files makes ext4 slow for minutes.
 */
const { values } = parseArgs({
  options: {
    starts: { type: 'string', default: '7' },
    turns: { type: 'string', default: '300' },
    seconds: { type: 'string', default: '5' },
    runs: { type: 'string', default: '2000' },
    warm: { type: 'string', default: '3000' },
    dir: { type: 'string', default: os.tmpdir() },
    executors: { type: 'string', default: '' },
    keep: { type: 'boolean', default: false },
  },
});
const program = path.join(import.meta.dirname, '..', 'dist', 'clawhold.mjs');
if (!existsSync(program))
  throw new Error(`${program} is missing: there is nothing to measure before it is built. Run "npm run build" first.`);

interface Server {
  readonly child: ChildProcess;
  readonly url: string;
  readonly readyMs: number;
}

const folder = mkdtempSync(path.join(values.dir, 'bench-serve-'));
const env = { ...process.env, CLAWHOLD_CONFIG_HOME: path.join(folder, 'user') };

function command(...args: readonly string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, [program, ...args], { cwd: folder, env, encoding: 'utf8' });
  if (status !== 0) throw new Error(`clawhold ${args.join(' ')} ended with ${status}: ${stderr}`);
  return stdout.trim();
}

async function start(): Promise<Server> {
  const started = performance.now();
  const child = spawn(process.execPath, [program, 'serve', '--port', '0', '--json'], {
    cwd: folder,
    env,
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const line = await new Promise<string>((resolve) => child.stdout.once('data', (bytes: Buffer) => resolve(String(bytes))));
  return { child, url: (JSON.parse(line) as { readonly url: string }).url, readyMs: performance.now() - started };
}

async function stop({ child }: Server): Promise<void> {
  child.kill('SIGTERM');
  await new Promise((resolve) => child.once('exit', resolve));
}

function memoryMb({ child }: Server): number {
  return Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${child.pid}/status`, 'utf8'))?.[1]) / 1024;
}

/** Of all threads of the server, in user and system; by the kernel's ticks of 10 ms. */
function usedCpuMs({ child }: Server): number {
  const fields = readFileSync(`/proc/${child.pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * 10;
}

type Turn = (client: LoadClient) => Promise<number>;

/** In one request, as a stock OpenAI client asks. */
async function chat(client: LoadClient): Promise<number> {
  const started = performance.now();
  await client.ask('/v1/chat/completions', '{"model":"agent/main","messages":[{"role":"user","content":"hello"}]}');
  return performance.now() - started;
}

/** In two: from the request that puts the run to the answer that tells its end. */
async function turn(client: LoadClient): Promise<number> {
  const started = performance.now();
  const { run } = (await client.ask('/api/v1/runs', '{"agent":"main","input":"hello"}')) as { readonly run: string };
  await client.ask(`/api/v1/runs/${run}?wait=30`);
  return performance.now() - started;
}

async function many(
  server: Server,
  client: LoadClient,
  options: { readonly ask: Turn; readonly clients: number; readonly isOver: (done: number) => boolean },
): Promise<{ readonly perSecond: number; readonly cpuMs: number }> {
  let done = 0;
  const asker = async (): Promise<void> => {
    while (!options.isOver(done)) {
      await options.ask(client);
      done += 1;
    }
  };
  const started = performance.now();
  const before = usedCpuMs(server);
  await Promise.all(Array.from({ length: options.clients }, asker));
  return { perSecond: done / ((performance.now() - started) / 1000), cpuMs: (usedCpuMs(server) - before) / done };
}

function quantile(numbers: readonly number[], part: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor((numbers.length - 1) * part)]!;
}

command('init', '--agent', 'main');
writeFileSync(
  path.join(folder, '.clawhold', 'clawhold.yaml'),
  `version: 1\nmodel: scripted/hello\nserve: { telemetry: { logLevel: warn }, executors: { ${values.executors} } }\n`,
);
const token = command('tokens', 'create', '--role', 'submitter');
const rows: (readonly [what: string, aim: string, result: string])[] = [];

const ready: number[] = [];
const idle: number[] = [];
for (let round = -1; round < Number(values.starts); round += 1) {
  const server = await start();
  await new Promise((resolve) => setTimeout(resolve, 1000));
  if (round >= 0) idle.push(memoryMb(server));
  if (round >= 0) ready.push(server.readyMs);
  await stop(server);
}
rows.push(['start until ready', '≤ 500 ms', `${quantile(ready, 0.5).toFixed(0)} ms`]);
rows.push(['memory, idle', '≤ 120 MB', `${quantile(idle, 0.5).toFixed(0)} MB`]);

const server = await start();
const client = new LoadClient(server.url, token);
for (let warm = 0; warm < 50; warm += 1) await turn(client);
const doors: readonly (readonly [name: string, ask: Turn])[] = [
  ['REST: put the run, ask for its end', turn],
  ['OpenAI door: one request', chat],
];
for (const [door, ask] of doors) {
  const turns: number[] = [];
  for (let index = 0; index < Number(values.turns); index += 1) turns.push(await ask(client));
  const [half, most] = [0.5, 0.95].map((part) => quantile(turns, part).toFixed(1));
  rows.push([`a turn, request to end, one client. ${door}`, 'p50 ≤ 10 ms', `p50 ${half} ms, p95 ${most} ms`]);
}
for (const [door, ask] of doors) {
  await many(server, client, { ask, clients: 16, isOver: (done) => done >= Number(values.warm) });
  for (const clients of [8, 16, 32]) {
    const until = performance.now() + Number(values.seconds) * 1000;
    const { perSecond, cpuMs } = await many(server, client, { ask, clients, isOver: () => performance.now() > until });
    rows.push([
      `turns a second, ${clients} clients; CPU of the server a turn. ${door}`,
      '≥ 400',
      `${perSecond.toFixed(0)}; ${cpuMs.toFixed(2)} ms`,
    ]);
  }
}
const before = memoryMb(server);
const half = Number(values.runs) / 2;
await many(server, client, { ask: turn, clients: 16, isOver: (done) => done >= half });
const middle = memoryMb(server);
await many(server, client, { ask: turn, clients: 16, isOver: (done) => done >= half });
rows.push([
  `memory over ${values.runs} runs more`,
  'flat',
  `${before.toFixed(0)}, ${middle.toFixed(0)}, ${memoryMb(server).toFixed(0)} MB`,
]);
client.close();
await stop(server);
if (!values.keep) rmSync(folder, { recursive: true });

console.log('| what | aim | result |\n|---|---|---|');
for (const row of rows) console.log(`| ${row.join(' | ')} |`);
