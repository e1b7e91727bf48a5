import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { openSharedSync } from './durable-dir.ts';
import { openLineFile } from './line-file.ts';

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'lines-'));
}

/** Syncs of folders that the test ends. */
function heldSyncs(): { readonly asked: string[]; readonly sync: (dir: string) => Promise<void>; end(error?: Error): void } {
  const asked: string[] = [];
  let under = Promise.withResolvers<void>();
  return {
    asked,
    sync: async (dir) => {
      asked.push(dir);
      await under.promise;
    },
    end: (error) => {
      if (error === undefined) under.resolve();
      else under.reject(error);
      under = Promise.withResolvers<void>();
    },
  };
}

test('a line of a new file is durable only when the name of its folder is', async () => {
  const dir = scratch();
  const { asked, sync, end } = heldSyncs();
  await using file = openLineFile(path.join(dir, 'run', 'journal.jsonl'), { syncShared: openSharedSync(sync) });
  let isDurable = false;
  const appended = file.append('a').then(() => (isDurable = true));

  await delay(50);
  const early = isDurable;
  end();
  await appended;

  assert.deepEqual([early, isDurable, asked], [false, true, [dir]]);
});

test('a line is refused when the name of its folder could not be made durable', async () => {
  const dir = scratch();
  const { sync, end } = heldSyncs();
  await using file = openLineFile(path.join(dir, 'run', 'journal.jsonl'), { syncShared: openSharedSync(sync) });
  const appended = file.append('a');
  await delay(20);
  end(new Error('the disk is gone'));

  await assert.rejects(appended, { code: 'state.append-failed' });
});

test('files that begin at the same time share a sync of the folder above theirs, and each folder has its own', async () => {
  const dir = scratch();
  const { asked, sync, end } = heldSyncs();
  const syncShared = openSharedSync(sync);
  const open = (...names: readonly string[]) => openLineFile(path.join(dir, ...names, 'journal.jsonl'), { syncShared });
  fs.mkdirSync(path.join(dir, 'other'));
  const first = open('1');
  await delay(5);
  const later = [open('2'), open('3'), open('other', '4')];
  const appended = [first, ...later].map(async (file) => await file.append('a'));
  await delay(20);
  end();
  await delay(20);
  end();
  await Promise.all(appended);
  for (const file of [first, ...later]) await file[Symbol.asyncDispose]();

  assert.deepEqual(asked.toSorted(), [dir, dir, path.join(dir, 'other')].toSorted());
});

test('folders that are missing far above a file are made for their owner alone, and a file in the way is told', () => {
  const dir = scratch();
  openLineFile(path.join(dir, 'runs', 'day', 'run', 'journal.jsonl'));
  fs.writeFileSync(path.join(dir, 'taken'), '');

  for (const name of ['runs', 'runs/day', 'runs/day/run']) assert.equal(fs.statSync(path.join(dir, name)).mode & 0o777, 0o700);
  assert.throws(() => openLineFile(path.join(dir, 'taken', 'run', 'journal.jsonl')), { code: 'state.not-writable' });
});
