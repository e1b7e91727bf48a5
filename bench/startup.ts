import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

/**
 * Start of the bundled program against the same Node doing nothing, in interleaved runs so that a busy machine slows
 * all of them alike. Peak memory comes from the kernel's accounting of the child (`VmHWM`), read when it exits.
 *
 *     npm run build && node bench/startup.ts --runs 21
 */
const { values } = parseArgs({ options: { runs: { type: 'string', default: '21' } } });
const runs = Number(values.runs);
const program = path.join(import.meta.dirname, '..', 'dist', 'clawhold.mjs');

interface Sample {
  readonly ms: number;
  readonly rssMb: number;
}

const preload = path.join(import.meta.dirname, 'startup', 'report-peak.cjs');

/** Runs a program to its end. Memory is measured in a run of its own: the preload that reports it costs time. */
function runOnce(args: readonly string[], options: { readonly cwd: string; readonly memory: boolean }): Promise<Sample> {
  return new Promise((resolve, reject) => {
    const nodeArgs = options.memory ? ['--require', preload, ...args] : args;
    const started = performance.now();
    const child = spawn(process.execPath, nodeArgs, { cwd: options.cwd, stdio: ['ignore', 'ignore', options.memory ? 'pipe' : 'inherit'] });
    let told = '';
    child.stderr?.setEncoding('utf8').on('data', (text: string) => (told += text));
    child.on('error', reject);
    child.on('close', (code) => {
      const ms = performance.now() - started;
      if (code !== 0) return reject(new Error(`${args.join(' ')} ended with exit ${code}. ${told}`));
      resolve({ ms, rssMb: Number(/peak-kb=(\d+)/.exec(told)?.[1] ?? Number.NaN) / 1024 });
    });
  });
}

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}

if (!existsSync(program))
  throw new Error(`${program} is missing: there is nothing to measure before it is built. Run "npm run build" first.`);
const folder = mkdtempSync(path.join(os.tmpdir(), 'bench-startup-'));
await runOnce([program, 'init'], { cwd: folder, memory: false });
const subjects: readonly (readonly [name: string, args: readonly string[]])[] = [
  ['node -e 0', ['-e', '0']],
  ['clawhold --version', [program, '--version']],
  ['clawhold --help', [program, '--help']],
  ['clawhold runs list', [program, 'runs', 'list']],
];
const times = new Map(subjects.map(([name]) => [name, [] as number[]]));
const peaks = new Map(subjects.map(([name]) => [name, [] as number[]]));
for (let run = -1; run < runs; run += 1) {
  for (const [name, args] of subjects) {
    const { ms } = await runOnce(args, { cwd: folder, memory: false });
    // The first round only fills caches.
    if (run >= 0) times.get(name)!.push(ms);
  }
}
for (let run = 0; run < Math.min(runs, 5); run += 1) {
  for (const [name, args] of subjects) peaks.get(name)!.push((await runOnce(args, { cwd: folder, memory: true })).rssMb);
}
rmSync(folder, { recursive: true });
const bare = median(times.get('node -e 0')!);
console.log('| command | median ms | × bare Node | peak MB |\n|---|---|---|---|');
for (const [name] of subjects) {
  const ms = median(times.get(name)!);
  console.log(`| \`${name}\` | ${ms.toFixed(1)} | ${(ms / bare).toFixed(2)} | ${median(peaks.get(name)!).toFixed(0)} |`);
}
