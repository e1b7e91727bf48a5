import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { isRefused, openRoots, type Roots } from './guard.ts';
import { openRootMemory } from './root-memory.ts';

interface Place {
  readonly ws: string;
  readonly other: string;
  readonly closed: string;
  readonly clock: { ms: number };
  /** Opens the workspace, with the same memory each time. */
  readonly open: () => Promise<Roots>;
}

function place(t: TestContext): Place {
  const dir = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-roots-')));
  const [ws, other, closed] = ['ws', 'other', 'closed'].map((name) => path.join(dir, name)) as [string, string, string];
  for (const folder of [ws, other, closed]) fs.mkdirSync(folder);
  fs.writeFileSync(path.join(ws, 'a.md'), 'of the workspace');
  fs.writeFileSync(path.join(other, 'a.md'), 'of the other');
  const clock = { ms: 0 };
  const memory = openRootMemory(() => clock.ms);
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const spec = { name: 'workspace', dir: ws, access: 'write' } as const;
  return { ws, other, closed, clock, open: async () => await openRoots([spec], { protectedDirs: [closed], memory }) };
}

async function textThrough({ open }: Place): Promise<string> {
  await using roots = await open();
  const content = roots.read({ root: 'workspace', path: 'a.md' });
  return isRefused(content) ? content.refused : content.bytes.toString();
}

test(
  'a root that was opened before is opened as what its name leads to now',
  { skip: process.platform !== 'linux' && 'needs /proc' },
  async (t) => {
    const world = place(t);
    const [before, again] = [await textThrough(world), await textThrough(world)];
    fs.renameSync(world.ws, `${world.ws}.away`);
    fs.renameSync(world.other, world.ws);
    const replaced = await textThrough(world);
    fs.renameSync(world.ws, world.other);
    fs.symlinkSync(world.other, world.ws);
    const linked = await textThrough(world);

    assert.deepEqual([before, again, replaced, linked], ['of the workspace', 'of the workspace', 'of the other', 'of the other']);
  },
);

test('a root that was good before is refused when it lies in a closed folder now, also as the same folder', async (t) => {
  for (const into of ['closed', 'closed/deep', 'x/.git', 'x/.clawhold/agents']) {
    const world = place(t);
    await textThrough(world);
    const folder = path.join(path.dirname(world.ws), into);
    fs.mkdirSync(folder, { recursive: true });
    fs.renameSync(world.ws, path.join(folder, 'moved'));
    fs.symlinkSync(path.join(folder, 'moved'), world.ws);

    await assert.rejects(world.open(), { code: 'tools.bad-root' }, into);
  }
});

test('a root that is a closed folder now, a file, or gone is refused', async (t) => {
  const spoils: readonly ((world: Place) => void)[] = [
    ({ ws, closed }) => fs.symlinkSync(closed, ws),
    ({ ws }) => fs.writeFileSync(ws, ''),
    () => {},
    ({ ws }) => fs.symlinkSync('/proc/self', ws),
  ];
  for (const spoil of spoils) {
    const world = place(t);
    await textThrough(world);
    fs.rmSync(world.ws, { recursive: true });
    spoil(world);

    await assert.rejects(world.open(), { code: 'tools.bad-root' });
  }
});

test('a closed folder that was moved around a root is found a second later', async (t) => {
  const world = place(t);
  await textThrough(world);
  // The owner of the machine keeps the keys in the folder of the workspace from now on.
  fs.rmdirSync(world.closed);
  fs.symlinkSync(world.ws, world.closed);
  world.clock.ms = 1000;

  await assert.rejects(world.open(), { code: 'tools.bad-root' });
});

test(
  'no descriptor stays open when a remembered root is another folder now',
  { skip: process.platform !== 'linux' && 'needs /proc' },
  async (t) => {
    const world = place(t);
    await textThrough(world);
    fs.rmSync(world.ws, { recursive: true });
    fs.symlinkSync(world.closed, world.ws);
    const before = fs.readdirSync('/proc/self/fd').length;

    for (let round = 0; round < 20; round += 1) await assert.rejects(world.open());

    assert.equal(fs.readdirSync('/proc/self/fd').length, before);
  },
);
