import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { openBwrap } from '../src/sandbox/bwrap.ts';
import { openOci } from '../src/sandbox/oci.ts';
import { openPool } from '../src/sandbox/pool.ts';
import type { SandboxDriver, SandboxSpec } from '../src/sandbox/sandbox.ts';
import { makeRootfs } from '../test/root/make-rootfs.ts';

/**
 * Sandboxes against bare fork+exec, bare bwrap and podman run, in interleaved rounds so that a busy machine slows all
 * of them alike. Needs root, bubblewrap, podman, runc and busybox-static.
 *
 *     node bench/sandbox.ts --rounds 30 --at-once 1,10,50
 */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' }, 'at-once': { type: 'string', default: '1,10,50' } } });
const rounds = Number(values.rounds);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-sandbox-'));
chmodSync(folder, 0o755);
const owner = 12_345;
const workspace = path.join(mkdtempSync(path.join(folder, 'workspace-')));
chownSync(workspace, owner, owner);
chmodSync(workspace, 0o755);
const rootfs = makeRootfs(folder);
const storage = { root: path.join(folder, 'root'), runRoot: path.join(folder, 'run') };
const spec: SandboxSpec = {
  label: 'bench',
  workspace,
  limits: { memoryBytes: 2 ** 28, cpus: 2, pids: 100, openFiles: 1024, diskBytes: 2 ** 28, outputBytes: 2 ** 24, wallMs: 600_000 },
  network: 'none',
};
let options: readonly string[] = [];
const keepOptions = (args: string[]): string[] => {
  options = args;
  return args;
};
const bwrap = openBwrap({ runtimeDir: path.join(folder, 'bwrap'), editArgs: keepOptions });
const podman = openOci({ runtimeDir: path.join(folder, 'oci'), storage, image: { kind: 'rootfs', path: rootfs } });

async function ended(child: ChildProcess): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => (code === 0 ? resolve() : reject(new Error(`${child.spawnargs.join(' ')} ended with exit ${code}`))));
  });
}

interface Times {
  readonly firstMs: number;
  readonly endMs: number;
}

async function bare(command: string, args: readonly string[], user = false): Promise<Times> {
  const started = performance.now();
  const child = spawn(command, args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: '/usr/bin:/bin:/usr/sbin:/sbin' },
    ...(user ? { uid: owner, gid: owner } : {}),
  });
  let firstMs = Number.NaN;
  child.stdout?.once('data', () => (firstMs = performance.now() - started));
  await ended(child);
  return { firstMs, endMs: performance.now() - started };
}

/** The driver's own mounts and namespaces by hand: without filter, limits, supervisor and the look at the workspace. */
async function bareWithOurMounts(): Promise<Times> {
  const kept = options.filter(
    (arg, index) => !['--seccomp', '--setenv', '_ceilings'].some((name) => [arg, options[index - 1]].includes(name)),
  );
  const times = await bare('bwrap', [...kept, '/bin/echo', 'x'], true);
  rmSync(path.join(workspace, '.clawhold'), { force: true });
  return times;
}

const bareBwrap =
  '--unshare-all --die-with-parent --ro-bind /usr /usr --symlink usr/lib /lib --symlink usr/lib64 /lib64 --symlink usr/bin /bin --proc /proc --dev /dev --tmpfs /tmp'.split(
    ' ',
  );
const podmanRun = [
  ...`--root ${storage.root} --runroot ${storage.runRoot} run --rm --network=none --runtime runc --log-driver none`.split(' '),
  ...'--cap-drop=all --security-opt no-new-privileges --read-only --user 12345:12345 --memory 256m --pids-limit 100 --cpus 2'.split(' '),
  ...`--ulimit nofile=1024:1024 --ulimit nproc=4096:4096 --volume ${workspace}:/workspace --rootfs ${rootfs}:O`.split(' '),
];

/** The end of the sandbox is not part of it, as it is not for whoever waits for an answer. */
async function cold(driver: SandboxDriver): Promise<Times> {
  const started = performance.now();
  let firstMs = Number.NaN;
  const sandbox = await driver.start(spec);
  await sandbox.exec(['echo', 'x'], { onStdout: () => (firstMs = performance.now() - started) });
  const endMs = performance.now() - started;
  await sandbox.stop();
  return { firstMs, endMs };
}

/** One of a process that has started nothing but the canary of its probe, a little before: nothing was begun ahead. */
async function coldAlone(): Promise<Times> {
  await using driver = openBwrap({ runtimeDir: path.join(folder, 'alone') });
  await driver.probe();
  await sleep(100);
  return await cold(driver);
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

function at(numbers: readonly number[], share: number): number {
  return numbers.toSorted((a, b) => a - b)[Math.min(numbers.length - 1, Math.floor(numbers.length * share))] ?? Number.NaN;
}

function row(name: string, numbers: readonly number[], note = ''): void {
  console.log(`| ${name} | ${at(numbers, 0.5).toFixed(2)} | ${at(numbers, 0.99).toFixed(2)} | ${numbers.length} | ${note} |`);
}

async function startsAndCommands(): Promise<void> {
  const samples = new Map<string, number[]>();
  const put = (name: string, ms: number): void => void samples.set(name, [...(samples.get(name) ?? []), ms]);
  const add = (name: string, { firstMs, endMs }: Times): void => {
    put(`${name}: first output`, firstMs);
    put(`${name}: result`, endMs);
  };
  for (let round = -2; round < rounds; round += 1) {
    const measured: readonly (readonly [string, Times])[] = [
      ['fork+exec', await bare('/bin/echo', ['x'])],
      ['bwrap, bare', await bare('bwrap', [...bareBwrap, 'echo', 'x'], true)],
      ['bwrap driver', await cold(bwrap)],
      ["bwrap, bare, with the driver's mounts", await bareWithOurMounts()],
      ['bwrap driver, nothing begun ahead', await coldAlone()],
      ['podman run', await bare('podman', [...podmanRun, 'echo', 'x'])],
      ['podman driver', await cold(podman)],
    ];
    if (round >= 0) for (const [name, times] of measured) add(name, times);
  }
  for (const [name, numbers] of samples) row(name, numbers);
  const p50 = (name: string): number => at(samples.get(name) ?? [], 0.5);
  const ratio = (a: string, b: string): string =>
    ['first output', 'result'].map((what) => `${what} ${(p50(`${a}: ${what}`) / p50(`${b}: ${what}`)).toFixed(2)}`).join(', ');
  console.log(`\nbwrap driver / bare bwrap: ${ratio('bwrap driver', 'bwrap, bare')}`);
  console.log(`nothing begun ahead / bare bwrap: ${ratio('bwrap driver, nothing begun ahead', 'bwrap, bare')}`);
  console.log(`podman driver / podman run: ${ratio('podman driver', 'podman run')}\n`);
}

async function runningAndWarm(driver: SandboxDriver): Promise<void> {
  const sandbox = await driver.start(spec);
  const commands: number[] = [];
  for (let i = -50; i < rounds * 10; i += 1) {
    const ms = await timed(async () => sandbox.exec(['/bin/true']));
    if (i >= 0) commands.push(ms);
  }
  row(`${driver.name}: command in a running sandbox`, commands);
  await sandbox.stop();
  await using pool = openPool({ bounds: () => ({ maxWarm: 2, maxMemoryBytes: 2 ** 30, maxAgeMs: 600_000 }), now: () => Date.now() });
  const acquired: number[] = [];
  const first: number[] = [];
  for (let i = 0; i < Math.min(rounds, 20); i += 1) {
    await pool.warm(driver, spec);
    const started = performance.now();
    const { sandbox: warm, warm: isWarm } = await pool.acquire(driver, spec);
    const ms = performance.now() - started;
    await warm.exec(['echo', 'x']);
    if (isWarm) acquired.push(ms);
    first.push(performance.now() - started);
    await warm.stop();
  }
  row(`${driver.name}: acquire from the warm pool`, acquired);
  row(`${driver.name}: acquire and first output, warm`, first);
}

/** Proportional set size of everything that a sandbox added, in MiB. */
function memoryOf(pids: ReadonlySet<number>): number {
  let kib = 0;
  for (const pid of pids) {
    try {
      kib += Number(/^Pss:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    } catch {
      // silent-ok: it ended, or is a kernel thread
    }
  }
  return kib / 1024;
}

function processes(): Set<number> {
  const lines = execFileSync('ps', ['-eo', 'pid,args'], { encoding: 'utf8' }).split('\n');
  return new Set(lines.filter((line) => line.includes(folder) || line.includes('/run/clawhold')).map((line) => Number.parseInt(line, 10)));
}

async function atOnce(driver: SandboxDriver, count: number): Promise<void> {
  const started = performance.now();
  const sandboxes = await Promise.all(Array.from({ length: count }, async () => driver.start(spec)));
  const allMs = performance.now() - started;
  const memory = memoryOf(processes());
  await Promise.all(sandboxes.map(async (sandbox) => sandbox.stop()));
  console.log(
    `| ${driver.name}, ${count} at once | ${allMs.toFixed(0)} | ${((count / allMs) * 1000).toFixed(1)} | ${(memory / count).toFixed(1)} |`,
  );
}

console.log(`${os.cpus().length} CPUs, Linux ${os.release()}, Node ${process.version}, load ${os.loadavg()[0]?.toFixed(1)}\n`);
console.log('| what | p50 ms | p99 ms | n | |\n|---|---|---|---|---|');
try {
  await startsAndCommands();
  console.log('| what | p50 ms | p99 ms | n | |\n|---|---|---|---|---|');
  for (const driver of [bwrap, podman]) await runningAndWarm(driver);
  console.log('\n| what | all started, ms | starts/s | MiB each |\n|---|---|---|---|');
  for (const driver of [bwrap, podman]) for (const count of values['at-once'].split(',').map(Number)) await atOnce(driver, count);
} finally {
  for (const driver of [bwrap, podman]) await driver[Symbol.asyncDispose]();
  execFileSync('podman', ['--root', storage.root, '--runroot', storage.runRoot, 'system', 'reset', '--force'], { stdio: 'ignore' });
  rmSync(folder, { recursive: true, force: true });
}
