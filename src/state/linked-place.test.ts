import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { isReachedThroughLink, isWithin, nameFrom, realPlace } from './linked-place.ts';

test('a folder is within another by whole names, and within the root of the disk whatever it is', () => {
  assert.deepEqual(
    [isWithin('/a/b', '/a'), isWithin('/a', '/a'), isWithin('/ab', '/a'), isWithin('/a', '/a/b'), isWithin('/a', '/')],
    [true, true, false, false, true],
  );
});

test('a folder has a name from the root that it lies in, and another place keeps its own', () => {
  const names = [nameFrom('/r', '/r/shop'), nameFrom('/r', '/r'), nameFrom('/r', '/rest/shop'), nameFrom('/', '/srv/shop')];

  assert.deepEqual(names, ['shop', '.', '/rest/shop', 'srv/shop']);
  for (const [index, dir] of ['/r/shop', '/r', '/rest/shop'].entries()) assert.equal(path.resolve('/r', names[index]!), dir);
});

test('a link to what is not there leads there all the same, and links in a circle to nobody’s own', (t) => {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'linked-')));
  t.after(() => fs.rmSync(base, { recursive: true }));
  for (const [name, target] of [
    ['out', '../../elsewhere/shop'],
    ['far', 'out/deep'],
    ['self', 'self'],
    ['one', 'two'],
    ['two', 'one/x'],
  ] as const)
    fs.symlinkSync(target, path.join(base, name));
  const elsewhere = path.resolve(base, '../../elsewhere/shop');

  assert.deepEqual(
    ['out', 'out/new', 'far', 'new/deep'].map((name) => realPlace(path.join(base, name))),
    [elsewhere, `${elsewhere}/new`, `${elsewhere}/deep`, `${base}/new/deep`],
  );
  for (const name of ['self', 'one', 'two/y']) assert.ok(!isWithin(realPlace(path.join(base, name)), base), name);
});

test('a link on the way is seen beneath the root, and anywhere for what lies elsewhere; a root behind a link is none', (t) => {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'linked-')));
  t.after(() => fs.rmSync(base, { recursive: true }));
  fs.mkdirSync(path.join(base, 'real/shop'), { recursive: true });
  fs.symlinkSync('real', path.join(base, 'root'));
  fs.symlinkSync('shop', path.join(base, 'real/linked'));
  fs.symlinkSync('nowhere', path.join(base, 'real/dangling'));
  const seen = (dir: string): boolean => isReachedThroughLink(path.join(base, 'root'), path.join(base, dir));

  assert.deepEqual(
    ['root/shop', 'root/linked', 'root/linked/deep', 'root/dangling', 'root/not-there', 'real/shop', 'real/linked'].map(seen),
    [false, true, true, true, false, false, true],
  );
  assert.equal(realPlace(path.join(base, 'root/linked/not-there')), path.join(base, 'real/shop/not-there'));
});
