import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { isRefused, openRoots, type Roots } from './guard.ts';

const attempts = 3000;
const at = (name: string): { root: string; path: string } => ({ root: 'workspace', path: name });

/**
 * Swaps a name between what belongs there and a link to the outside, over and over, from another thread. Between the
 * two the name is free for a moment: a folder that was made there meanwhile is cleared away.
 */
const racer = `
  const fs = require('node:fs');
  const { workerData } = require('node:worker_threads');
  const { name, link, spare, stop } = workerData;
  const flag = new Int32Array(stop);
  Atomics.store(flag, 1, 1);
  Atomics.notify(flag, 1);
  function move(from) {
    for (;;) {
      try { return fs.renameSync(from, name); } catch {}
      try { fs.rmSync(name, { recursive: true, force: true }); } catch {}
    }
  }
  while (Atomics.load(flag, 0) === 0) {
    fs.renameSync(name, spare);
    move(link);
    fs.renameSync(name, link);
    move(spare);
    Atomics.add(flag, 2, 1);
  }
`;

interface Race {
  readonly roots: Roots;
  readonly ws: string;
  readonly outside: string;
  /** How often the names were swapped so far. */
  readonly swaps: () => number;
}

/** A workspace in which `docs` (or, for a leaf, `docs/a.md`) is now itself, now a link to a secret outside. */
async function startRace(t: TestContext, what: 'folder' | 'leaf'): Promise<Race> {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-race-')));
  const [ws, outside] = [path.join(dir, 'ws'), path.join(dir, 'outside')];
  for (const name of [`${ws}/docs`, `${outside}/docs`]) fs.mkdirSync(name, { recursive: true });
  fs.writeFileSync(`${ws}/docs/a.md`, 'inside');
  fs.writeFileSync(`${outside}/docs/a.md`, 'SECRET');
  const name = what === 'folder' ? 'docs' : 'docs/a.md';
  const link = path.join(dir, 'link');
  fs.symlinkSync(path.join(outside, name), link);
  const roots = await openRoots([{ name: 'workspace', dir: ws, access: 'write' }]);
  const stop = new SharedArrayBuffer(12);
  const flag = new Int32Array(stop);
  const worker = new Worker(racer, { eval: true, workerData: { name: path.join(ws, name), link, spare: path.join(dir, 'spare'), stop } });
  await Atomics.waitAsync(flag, 1, 0).value;
  t.after(async () => {
    Atomics.store(flag, 0, 1);
    await new Promise((resolve) => worker.once('exit', resolve));
    await roots[Symbol.asyncDispose]();
    fs.rmSync(dir, { recursive: true, force: true });
  });
  return { roots, ws, outside, swaps: () => Atomics.load(flag, 2) };
}

/** What the naive guard does: asks where the path leads, and opens it when the answer was good. */
async function naivePath(ws: string, name: string): Promise<string> {
  const real = await fs.promises.realpath(path.join(ws, path.dirname(name)));
  if (real !== ws && !real.startsWith(`${ws}/`)) throw new Error('outside');
  return path.join(ws, name);
}

const isRaceFree = process.platform === 'linux';
const skip = !isRaceFree && 'this system has only the best-effort guard';

for (const what of ['folder', 'leaf'] as const) {
  test(`reading while a ${what} is swapped for a link never shows a byte from outside`, { skip }, async (t) => {
    const { roots, swaps } = await startRace(t, what);
    const seen = { inside: 0, refused: 0 };

    for (let round = 0; round < attempts; round += 1) {
      const content = roots.read(at('docs/a.md'));
      if (isRefused(content)) seen.refused += 1;
      else {
        assert.equal(content.bytes.toString(), 'inside');
        seen.inside += 1;
      }
    }

    t.diagnostic(`${seen.inside} read inside, ${seen.refused} refused, ${swaps()} swaps`);
    assert.ok(seen.inside > 0 && seen.refused > 0, 'the race did not happen');
  });
}

test('writing, making folders and removing while a folder is swapped for a link never touches the outside', { skip }, async (t) => {
  const { roots, outside, swaps } = await startRace(t, 'folder');
  const seen = { done: 0, refused: 0 };

  for (let round = 0; round < attempts / 5; round += 1) {
    const outcomes = [
      await roots.write(at(`docs/new-${round}`), Buffer.from('x')),
      await roots.write(at(`docs/deep-${round}/b`), Buffer.from('x')),
      await roots.remove(at('docs/a.md')),
      await roots.remove(at(`docs/new-${round}`)),
    ];
    for (const outcome of outcomes) seen[isRefused(outcome) ? 'refused' : 'done'] += 1;
  }

  t.diagnostic(`${seen.done} changes inside, ${seen.refused} refused, ${swaps()} swaps`);
  assert.ok(seen.done > 0 && seen.refused > 0, 'the race did not happen');
  assert.deepEqual(fs.readdirSync(path.join(outside, 'docs')), ['a.md']);
  assert.equal(fs.readFileSync(path.join(outside, 'docs/a.md'), 'utf8'), 'SECRET');
});

test('listing while a folder is swapped for a link never names a file from outside', { skip }, async (t) => {
  const { roots, outside } = await startRace(t, 'folder');
  fs.writeFileSync(path.join(outside, 'docs/only-outside'), '');

  for (let round = 0; round < attempts; round += 1) {
    const listing = roots.list(at('.'), { depth: 3, maxEntries: 100 });
    const names = isRefused(listing) ? [] : listing.entries.map((entry) => entry.path);
    assert.ok(!names.some((name) => name.includes('only-outside')), names.join());
  }
});

test('sabotage: a guard that checks and then opens is caught reading outside by the same race', { skip }, async (t) => {
  const { ws } = await startRace(t, 'folder');
  let escapes = 0;
  let rounds = 0;

  for (; rounds < 50_000 && escapes === 0; rounds += 1) {
    try {
      const text = await fs.promises.readFile(await naivePath(ws, 'docs/a.md'), 'utf8');
      if (text === 'SECRET') escapes += 1;
    } catch {
      // silent-ok: refused, or gone for a moment
    }
  }

  t.diagnostic(`escaped after ${rounds} rounds`);
  assert.ok(escapes > 0, 'the race is too slow to prove anything');
});

test('sabotage: a guard that checks and then opens is caught writing outside by the same race', { skip }, async (t) => {
  const { ws, outside } = await startRace(t, 'folder');
  let rounds = 0;

  for (; rounds < 50_000 && fs.readdirSync(path.join(outside, 'docs')).length === 1; rounds += 1) {
    try {
      await fs.promises.writeFile(await naivePath(ws, 'docs/new'), 'x');
    } catch {
      // silent-ok: refused, or gone for a moment
    }
  }

  t.diagnostic(`escaped after ${rounds} rounds`);
  assert.ok(fs.existsSync(path.join(outside, 'docs/new')), 'the race is too slow to prove anything');
});
