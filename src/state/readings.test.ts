import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { monotonicMs } from '../contracts/clock.ts';
import { openReadings, type Identity, type Look } from './readings.ts';

function makeFolder(): { readonly dir: string; readonly file: string } {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'readings-'));
  const file = path.join(dir, 'a.txt');
  fs.writeFileSync(file, 'aaaa');
  return { dir, file };
}

/** Reads a file and the names of its folder. */
function readerOf(file: string): (look: Look) => Promise<{ readonly text: string; readonly names: readonly string[] }> {
  return async (look) => {
    look(file);
    look(path.dirname(file));
    return { text: fs.readFileSync(file, 'utf8'), names: fs.readdirSync(path.dirname(file)) };
  };
}

/** A clock that does not tick: whatever is written, the place looks as it did the first time. */
function frozen(): (place: string) => Identity {
  const seen = new Map<string, Identity>();
  return (place) => {
    const { mode, size, dev, ino, mtimeMs, ctimeMs } = fs.lstatSync(place);
    const first = seen.get(place) ?? { mode, size, dev, ino, mtimeMs, ctimeMs };
    seen.set(place, first);
    return first;
  };
}

test('what was read is given again as long as every place it was read from is the same', async () => {
  const { file } = makeFolder();
  const readings = openReadings();
  await delay(150);
  const first = await readings.of(readerOf, file, readerOf(file));

  assert.equal(await readings.of(readerOf, file, readerOf(file)), first);
});

test('every change is seen by the next call: contents of the same length and times, rights, a new name, another file, a link, nothing', async () => {
  const { dir, file } = makeFolder();
  const readings = openReadings();
  const changes: readonly (() => void)[] = [
    () => {
      const { atimeMs, mtimeMs } = fs.statSync(file);
      fs.writeFileSync(file, 'bbbb');
      fs.utimesSync(file, atimeMs / 1000, mtimeMs / 1000);
    },
    () => fs.chmodSync(file, 0o600),
    () => fs.writeFileSync(path.join(dir, 'b.txt'), ''),
    () => {
      fs.writeFileSync(path.join(dir, 'new'), 'cccc');
      fs.renameSync(path.join(dir, 'new'), file);
    },
    () => {
      fs.renameSync(file, path.join(dir, 'moved'));
      fs.symlinkSync('moved', file);
    },
  ];
  for (const change of changes) {
    await delay(150);
    const before = await readings.of(readerOf, file, readerOf(file));
    assert.equal(await readings.of(readerOf, file, readerOf(file)), before);

    change();

    assert.notEqual(await readings.of(readerOf, file, readerOf(file)), before);
  }
  fs.rmSync(file);
  await assert.rejects(readings.of(readerOf, file, readerOf(file)), { code: 'ENOENT' });
});

test('a file that changes twice in one tick of the clock, with the same length, is read twice', async () => {
  const { file } = makeFolder();
  const readings = openReadings({ identityOf: frozen() });
  await readings.of(readerOf, file, readerOf(file));

  fs.writeFileSync(file, 'bbbb');

  assert.equal((await readings.of(readerOf, file, readerOf(file))).text, 'bbbb');
});

test('sabotage: readings that are kept at once miss the second change', async () => {
  const { file } = makeFolder();
  const readings = openReadings({ identityOf: frozen(), settledMs: -1e9 });
  await readings.of(readerOf, file, readerOf(file));

  fs.writeFileSync(file, 'bbbb');

  assert.equal((await readings.of(readerOf, file, readerOf(file))).text, 'aaaa');
});

test('who began before the last look needs no other, and who began after it gets one', async () => {
  const { file } = makeFolder();
  let looks = 0;
  const readings = openReadings({ identityOf: (place) => ((looks += 1), fs.lstatSync(place, { throwIfNoEntry: false })) });
  await delay(150);
  const beganMs = monotonicMs();
  const ask = async (sinceMs: number): Promise<string> => (await readings.since(sinceMs).of(readerOf, file, readerOf(file))).text;
  await ask(beganMs);
  looks = 0;

  fs.writeFileSync(file, 'bbbb');
  const [early, earlyLooks] = [await ask(beganMs), looks];
  const late = await ask(monotonicMs());

  assert.deepEqual([early, earlyLooks, late], ['aaaa', 0, 'bbbb']);
  assert.ok(looks > 0);
});

test('a change between two looks is seen by whoever began before it and asks after it', async () => {
  const { file } = makeFolder();
  const readings = openReadings();
  await delay(150);
  const ask = async (sinceMs?: number): Promise<string> => (await readings.since(sinceMs).of(readerOf, file, readerOf(file))).text;
  await ask();
  const beganMs = monotonicMs();
  fs.writeFileSync(file, 'bbbb');

  assert.equal(await ask(beganMs), 'bbbb');
});

test('what changes while it is read is read again the next time', async () => {
  const { file } = makeFolder();
  const readings = openReadings();
  await delay(150);
  const read = async (look: Look): Promise<string> => {
    look(file);
    const text = fs.readFileSync(file, 'utf8');
    if (text === 'aaaa') fs.writeFileSync(file, 'bbbb');
    return text;
  };

  assert.equal(await readings.of(readerOf, file, read), 'aaaa');
  assert.equal(await readings.of(readerOf, file, read), 'bbbb');
});

test('a failure is not kept, and no more is kept than the bound', async () => {
  const { file } = makeFolder();
  const readings = openReadings({ maxEntries: 2 });
  let reads = 0;
  const count = async (): Promise<number> => (reads += 1);
  await assert.rejects(
    readings.of(readerOf, file, async () => {
      throw new Error('broken');
    }),
    /broken/,
  );

  for (const key of ['a', 'b', 'c', 'c', 'b', 'a']) await readings.of(readerOf, key, count);

  assert.equal(reads, 4);
});
