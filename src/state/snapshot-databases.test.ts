import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { openDatabase } from './database.ts';
import { inspectDatabase, knownSchema } from './inspect-database.ts';
import { snapshotDatabases } from './snapshot-databases.ts';

const steps = ['CREATE TABLE pairs (n INTEGER PRIMARY KEY) STRICT'];

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'snapshot-'));
}

function countOf(file: string): number {
  using database = openDatabase(file, { steps });
  return (database.get('SELECT count(*) AS c FROM pairs') as { c: number }).c;
}

test('of two databases that are written in turn, the copies are of one moment', async () => {
  const dir = scratch();
  const [a, b] = ['a.db', 'b.db'].map((name) => path.join(dir, name)) as [string, string];
  for (const file of [a, b]) openDatabase(file, { steps })[Symbol.dispose]();
  // First a, then b: whoever sees n in b without n in a has looked at two moments.
  const writer = new Worker(
    `const { DatabaseSync } = require('node:sqlite'); const { workerData, parentPort } = require('node:worker_threads');
     const [a, b] = workerData.map((file) => new DatabaseSync(file, { timeout: 10000 }));
     let n = 0; let isOver = false; parentPort.on('message', () => { isOver = true; });
     const step = () => { for (let i = 0; i < 20; i += 1) { n += 1; for (const d of [a, b]) d.prepare('INSERT INTO pairs VALUES (?)').run(n); }
       if (isOver) { a.close(); b.close(); parentPort.postMessage(n); parentPort.close(); } else setImmediate(step); };
     parentPort.postMessage(0); step();`,
    { eval: true, workerData: [a, b] },
  );
  await new Promise((done) => writer.once('message', done));

  for (let round = 0; round < 20; round += 1) {
    const copies = [a, b].map((from) => ({ from, to: `${from}.${round}` }));
    await snapshotDatabases(copies);
    const [first = 0, second = 0] = copies.map(({ to }) => countOf(to));
    assert.ok(first - second === 0 || first - second === 1, `${first} and ${second}`);
  }

  const ended = new Promise<number>((done) => writer.once('message', done));
  // eslint-disable-next-line unicorn/require-post-message-target-origin -- a worker thread, not a window
  writer.postMessage('stop');
  assert.ok((await ended) > 0);
});

test('a copy is one file of its owner alone, with everything that was committed', async () => {
  const dir = scratch();
  const from = path.join(dir, 'a.db');
  using database = openDatabase(from, { steps });
  database.run('INSERT INTO pairs VALUES (1)');

  await snapshotDatabases([{ from, to: path.join(dir, 'copy.db') }]);

  assert.deepEqual(
    fs.readdirSync(dir).filter((name) => name.startsWith('copy')),
    ['copy.db'],
  );
  assert.equal(fs.statSync(path.join(dir, 'copy.db')).mode & 0o777, 0o600);
  assert.equal(countOf(path.join(dir, 'copy.db')), 1);
});

test('sabotage: a damaged page is found, and nothing is called a copy of it', async () => {
  const dir = scratch();
  const from = path.join(dir, 'a.db');
  {
    using database = openDatabase(from, { steps });
    database.transact(() => {
      for (let n = 0; n < 5000; n += 1) database.run('INSERT INTO pairs VALUES (?)', n);
    });
  }
  const fd = fs.openSync(from, 'r+');
  fs.writeSync(fd, Buffer.alloc(4096, 0xff), 0, 4096, 8192);
  fs.closeSync(fd);

  assert.notDeepEqual(inspectDatabase(from).problems, []);
  await assert.rejects(snapshotDatabases([{ from, to: path.join(dir, 'copy.db') }]), { code: 'state.database-damaged' });
});

test('looking changes nothing, says the schema, and a file that is no database is a problem', () => {
  const dir = scratch();
  const file = path.join(dir, 'state.db');
  openDatabase(file)[Symbol.dispose]();
  const before = fs.readFileSync(file);
  fs.writeFileSync(path.join(dir, 'text.db'), 'no database at all, only text that is long enough to be looked at');

  assert.deepEqual(inspectDatabase(file), { schema: knownSchema, problems: [] });
  assert.deepEqual(fs.readFileSync(file), before);
  assert.equal(inspectDatabase(path.join(dir, 'text.db')).problems.length, 1);
  assert.equal(inspectDatabase(path.join(dir, 'none.db')).problems.length, 1);
});
