import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { JournalEntry } from '../contracts/journal.ts';
import { sha256 } from '../contracts/json.ts';
import { startChild } from '../../test/run-child.ts';
import { openJournal, readJournal } from './journal.ts';

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'journal-')), '2026-01-02', 'run_1', 'journal.jsonl');
}

function value(name: string): JournalEntry {
  return { kind: 'value', name, value: 'é' };
}

test('entries stand in the order of the calls, are there when it is opened again, and the files are for their owner alone', async () => {
  const file = scratch();
  {
    await using journal = await openJournal(file);
    assert.deepEqual(journal.entries, []);
    await Promise.all([journal.append(value('a')), journal.append(value('b'))]);
    await journal.append(value('c'));
  }

  await using journal = await openJournal(file);

  assert.deepEqual(journal.entries, [value('a'), value('b'), value('c')]);
  assert.deepEqual(await readJournal(file), journal.entries);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  assert.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
});

test('a torn last entry is cut off and said, and left alone by a reader', async () => {
  const file = scratch();
  {
    await using journal = await openJournal(file);
    await journal.append(value('a'));
  }
  fs.appendFileSync(file, '{"kind":"val');
  const torn = fs.readFileSync(file);

  assert.deepEqual(await readJournal(file), [value('a')]);
  assert.deepEqual(fs.readFileSync(file), torn);
  await using journal = await openJournal(file);

  assert.equal(journal.droppedBytes, 12);
  assert.deepEqual(journal.entries, [value('a')]);
  await journal.append(value('b'));
  assert.deepEqual(await readJournal(file), [value('a'), value('b')]);
});

for (const [name, damage] of [
  ['not JSON', '{"kind":"value"'],
  ['of no known kind', '{"kind":"rubbish"}'],
  ['no entry', '7'],
  ['empty', ''],
  ['not UTF-8', Buffer.from([0x22, 0xff, 0x22])],
] as const) {
  test(`a journal with a line that is ${name} is refused, naming file and line, and is not touched`, async () => {
    const file = scratch();
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const line = Buffer.from(`${JSON.stringify(value('a'))}\n`);
    fs.writeFileSync(file, Buffer.concat([line, Buffer.from(damage), Buffer.from('\n'), line]));
    const before = fs.readFileSync(file);

    await assert.rejects(openJournal(file), { code: 'state.journal-damaged', remedy: 'ask-human', message: new RegExp(`${file}:2`) });
    await assert.rejects(readJournal(file), { code: 'state.journal-damaged' });
    assert.deepEqual(fs.readFileSync(file), before);
  });
}

test('a process that is killed between two entries leaves every entry that was acknowledged', async () => {
  const file = scratch();
  const child = startChild(
    `import { openJournal } from ${JSON.stringify(path.join(import.meta.dirname, 'journal.ts'))};
     import fs from 'node:fs';
     const journal = await openJournal(${JSON.stringify(file)});
     for (let i = 0; ; i += 1) { await journal.append({ kind: 'value', name: String(i), value: i }); fs.writeSync(1, i + '\\n'); }`,
  );
  await child.firstLine;
  child.kill('SIGKILL');
  const acknowledged = Number((await child.ended).stdout.trimEnd().split('\n').at(-1));

  const entries = await readJournal(file);

  assert.ok(entries.length > acknowledged);
  assert.deepEqual(
    entries.map((entry) => entry.kind === 'value' && entry.value),
    Array.from({ length: entries.length }, (_, index) => index),
  );
});

test('what an earlier holder writes after a later one has taken over does not count', async () => {
  const file = scratch();
  const resumed = { kind: 'resumed', atMs: 1, build: 'b', from: 'interrupted', approvals: 'wait' } as const;
  await using early = await openJournal(file, { fence: 1 });
  await early.append(value('a'));
  await using later = await openJournal(file, { fence: 2 });
  await later.append(resumed);
  await early.append(value('late'));
  await later.append(value('b'));

  assert.deepEqual(await readJournal(file), [
    { ...value('a'), fence: 1 },
    { ...resumed, fence: 2 },
    { ...value('b'), fence: 2 },
  ]);
});

test('a journal that is taken from a living holder gets a file of its own: late lines go nowhere', async () => {
  const file = scratch();
  await using early = await openJournal(file, { fence: 1 });
  await early.append(value('a'));
  await using later = await openJournal(file, { fence: 2, isTakenFromLiving: true });
  await later.append(value('b'));
  const before = fs.readFileSync(file, 'utf8');

  await early.append(value('late'));

  assert.equal(fs.readFileSync(file, 'utf8'), before);
  assert.deepEqual(later.entries, [{ ...value('a'), fence: 1 }]);
});

test('a guard that throws right before a write leaves the file as it was, and ends the journal for its holder', async () => {
  const file = scratch();
  let isHeld = true;
  const guard = (): void => {
    if (!isHeld) throw new Error('lost');
  };
  await using journal = await openJournal(file, { guard });
  await journal.append(value('a'));
  isHeld = false;

  const late = journal.append(value('late'));

  await assert.rejects(late, /lost/);
  isHeld = true;
  await assert.rejects(journal.append(value('later')), /lost/);
  assert.deepEqual(await readJournal(file), [value('a')]);
});

test('the hash of a journal is that of its bytes, found and written, also when the file is changed behind its back', async () => {
  const file = scratch();
  const hashOfFile = (): string => sha256(fs.readFileSync(file));
  {
    await using journal = await openJournal(file, { fence: 1 });
    await Promise.all([journal.append(value('a')), journal.append(value('b'))]);
    assert.equal(journal.sha256(), hashOfFile());
  }
  fs.appendFileSync(file, '{"torn');
  await using journal = await openJournal(file, { fence: 2 });
  await journal.append(value('c'));
  const whole = hashOfFile();

  fs.writeFileSync(file, fs.readFileSync(file, 'utf8').replace('"a"', '"z"'));

  assert.equal(journal.sha256(), whole);
  assert.notEqual(hashOfFile(), whole);
});
