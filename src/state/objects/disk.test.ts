import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openObjects } from '../open-objects.ts';
import { testObjects } from './conformance.ts';

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'objects-')), 'objects');
}

testObjects('disk', async () => {
  const dir = scratch();
  return {
    objects: openObjects({ driver: 'disk', dir }),
    damage: async (sha, bytes) => fs.writeFileSync(path.join(dir, sha.slice(0, 2), sha), bytes),
    countStored: async () => fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length,
  };
});

test('an object is a file for its owner alone, in a folder named by two digits', async () => {
  const dir = scratch();

  const sha = await openObjects({ driver: 'disk', dir }).put('secret');

  assert.equal(fs.statSync(path.join(dir, sha.slice(0, 2), sha)).mode & 0o777, 0o600);
  assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
});

test('an object that was damaged or removed after it was checked is written again', async () => {
  const dir = scratch();
  const objects = openObjects({ driver: 'disk', dir });
  const sha = await objects.put('the bytes');
  const file = path.join(dir, sha.slice(0, 2), sha);
  const wrongs: readonly (() => void)[] = [
    () => fs.writeFileSync(file, 'THE BYTES'),
    () => fs.rmSync(file),
    () => fs.renameSync(file, `${file}.away`),
  ];

  for (const spoil of wrongs) {
    await objects.put('the bytes');
    await objects.put('the bytes');
    spoil();
    await objects.put('the bytes');

    assert.equal(Buffer.from(await objects.get(sha)).toString(), 'the bytes');
  }
});
