import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openObjects } from '../open-objects.ts';
import type { Objects } from '../objects.ts';
import { testObjects } from './conformance.ts';
import { withRecentPuts } from './recent-puts.ts';

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'objects-')), 'objects');
}

function opened(clock: { ms: number }): { readonly dir: string; readonly objects: Objects; readonly disk: Objects } {
  const dir = scratch();
  const disk = openObjects({ driver: 'disk', dir });
  return { dir, disk, objects: withRecentPuts(disk, { trustMs: 1000, nowMs: () => clock.ms }) };
}

// The contract of every store, for one whose memory has just run out: otherwise damage would be met a second later.
testObjects('recent puts', async () => {
  const clock = { ms: 0 };
  const { dir, objects } = opened(clock);
  return {
    objects,
    damage: async (sha, bytes) => {
      fs.writeFileSync(path.join(dir, sha.slice(0, 2), sha), bytes);
      clock.ms += 1000;
    },
    countStored: async () => fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length,
  };
});

test('a text that was put a moment ago is not looked for again, and after that moment it is', async () => {
  const clock = { ms: 0 };
  const { objects } = opened(clock);
  const sha = await objects.put('the text');
  const { dir, disk, objects: counted } = opened(clock);
  const looks: string[] = [];
  const counting = withRecentPuts(
    { ...disk, put: async (bytes) => (looks.push(String(bytes)), await disk.put(bytes)) },
    { trustMs: 1000, nowMs: () => clock.ms },
  );

  const shas = [await counting.put('the text'), await counting.put('the text')];
  clock.ms = 999;
  shas.push(await counting.put('the text'));
  const looksThen = looks.length;
  fs.rmSync(path.join(dir, sha.slice(0, 2), sha));
  clock.ms = 1000;
  shas.push(await counting.put('the text'));

  assert.deepEqual(new Set(shas), new Set([sha]));
  assert.deepEqual([looksThen, looks.length], [1, 2]);
  assert.equal(Buffer.from(await counted.get(sha)).toString(), 'the text');
});

test('what was removed through the store is written again at once', async () => {
  const { objects } = opened({ ms: 0 });
  const sha = await objects.put('the text');

  await objects.remove(sha);
  await objects.put('the text');

  assert.equal(await objects.has(sha), true);
});

test('a put that failed is not remembered', async () => {
  const { disk } = opened({ ms: 0 });
  let isFull = true;
  const failing: Objects = { ...disk, put: async (bytes) => (isFull ? Promise.reject(new Error('no room')) : await disk.put(bytes)) };
  const objects = withRecentPuts(failing, { trustMs: 1000, nowMs: () => 0 });

  await assert.rejects(objects.put('the text'), /no room/);
  isFull = false;

  assert.equal(await objects.has(await objects.put('the text')), true);
});
