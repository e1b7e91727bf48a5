import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { isRefused, openRoots } from '../src/tools/guard.ts';

/**
 * Reading and writing a 4 KiB file three folders deep, through the file guard and with plain fs, in interleaved rounds
 * so that a busy machine slows all of them alike. The plain write makes the same steps (temporary file, fsync, rename):
 * what differs is the guard.
 *
 *     node bench/guard.ts --rounds 30
 */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '30' }, json: { type: 'boolean' } } });
const rounds = Number(values.rounds);
const perRound = { read: 500, write: 20 };

const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'bench-guard-')));
const folder = path.join(dir, 'a/b/c');
const file = path.join(folder, 'file.md');
const bytes = Buffer.alloc(4096, 'x');
fs.mkdirSync(folder, { recursive: true });
fs.writeFileSync(file, bytes);
const roots = await openRoots([{ name: 'workspace', dir, access: 'write' }]);
const weaker = await openRoots([{ name: 'workspace', dir, access: 'write' }], { assurance: 'best-effort' });
const at = { root: 'workspace', path: 'a/b/c/file.md' };

async function plainWrite(): Promise<void> {
  const handle = await fs.promises.open(path.join(folder, 'temporary'), 'w', 0o600);
  await handle.writeFile(bytes);
  await handle.sync();
  await handle.close();
  await fs.promises.rename(path.join(folder, 'temporary'), file);
}

function expectDone(outcome: object): void {
  if (isRefused(outcome)) throw new Error(`The guard refused its own benchmark: ${outcome.text}`);
}

const subjects: readonly (readonly [name: string, times: number, work: () => void | Promise<void>])[] = [
  ['read, plain fs', perRound.read, () => void fs.readFileSync(file)],
  [`read, guard (${roots.assurance})`, perRound.read, () => expectDone(roots.read(at))],
  [`read, guard (${weaker.assurance})`, perRound.read, () => expectDone(weaker.read(at))],
  ['write, plain fs', perRound.write, plainWrite],
  [`write, guard (${roots.assurance})`, perRound.write, async () => expectDone(await roots.write(at, bytes))],
];
const samples = new Map(subjects.map(([name]) => [name, [] as number[]]));
for (let round = -1; round < rounds; round += 1) {
  for (const [name, times, work] of subjects) {
    const started = performance.now();
    for (let count = 0; count < times; count += 1) {
      const pending = work();
      if (pending !== undefined) await pending;
    }
    // The first round warms up.
    if (round >= 0) samples.get(name)!.push(((performance.now() - started) * 1000) / times);
  }
}
await roots[Symbol.asyncDispose]();
await weaker[Symbol.asyncDispose]();
fs.rmSync(dir, { recursive: true });

const figures = subjects.map(([name]) => ({ name, medianUs: median(samples.get(name)!) }));
if (values.json === true) console.log(JSON.stringify(figures));
else
  console.log(`| what | median µs |\n|---|---|\n${figures.map(({ name, medianUs }) => `| ${name} | ${medianUs.toFixed(1)} |`).join('\n')}`);

function median(numbers: readonly number[]): number {
  return numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)]!;
}
