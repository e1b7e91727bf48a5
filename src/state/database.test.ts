import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { runChild } from '../../test/run-child.ts';
import { openDatabase, openDatabaseForReading } from './database.ts';
import { schemaSteps } from './database/schema.ts';

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'db-')), 'state.db');
}

test('a database is made for its owner alone, and opened again as it is', () => {
  const file = scratch();
  {
    using database = openDatabase(file);
    database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES ('a', 'b', 'c', 1)`);
  }
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);

  using database = openDatabase(file);

  assert.equal((database.get('SELECT count(*) AS n FROM sessions') as { n: number }).n, 1);
  assert.deepEqual(
    [database.get('PRAGMA journal_mode'), database.get('PRAGMA synchronous')].map((row) => Object.values(row as object)[0]),
    ['wal', 2],
  );
});

test('a newer step is taken once, and an older build refuses the file then', () => {
  const file = scratch();
  openDatabase(file)[Symbol.dispose]();
  const steps = [...schemaSteps, 'CREATE TABLE extra (x TEXT) STRICT'];

  openDatabase(file, { steps })[Symbol.dispose]();
  openDatabase(file, { steps })[Symbol.dispose]();

  assert.throws(() => openDatabase(file), { code: 'state.database-newer', remedy: 'fix-request' });
});

test('a step that fails leaves the schema as it was', () => {
  const file = scratch();
  openDatabase(file)[Symbol.dispose]();

  assert.throws(() => openDatabase(file, { steps: [...schemaSteps, 'CREATE TABLE extra (x TEXT) STRICT; CREATE RUBBISH'] }));

  using database = openDatabase(file);
  assert.equal(database.get(`SELECT name FROM sqlite_schema WHERE name = 'extra'`), undefined);
});

test('processes that make the database at the same time all get it whole', async () => {
  const file = scratch();
  const program = `import { openDatabase } from ${JSON.stringify(path.join(import.meta.dirname, 'database.ts'))};
    using database = openDatabase(${JSON.stringify(file)});
    for (let i = 0; i < 20; i += 1) database.run("INSERT INTO sessions (id, tenant, agent, created_ms) VALUES (?, 'b', 'c', 1)", process.pid + '-' + i);`;

  const ends = await Promise.all([runChild(program), runChild(program), runChild(program), runChild(program)]);

  assert.deepEqual(
    ends.map(({ code, stderr }) => [code, stderr]),
    ends.map(() => [0, '']),
  );
  using database = openDatabase(file);
  assert.equal((database.get('SELECT count(*) AS n FROM sessions') as { n: number }).n, 80);
});

test('a file that is no database is refused with what to do', () => {
  const file = scratch();
  fs.writeFileSync(file, 'this is not a database, but it is long enough to be looked at as if it were one, is it not');

  assert.throws(() => openDatabase(file), { code: 'state.database-damaged', remedy: 'fix-request', message: /rebuilt from their folders/ });
  assert.throws(() => openDatabaseForReading(file), { code: 'state.database-damaged', message: /restore it from a backup/ });
});

test('a transaction that throws leaves nothing', () => {
  using database = openDatabase(scratch());

  assert.throws(() =>
    database.transact(() => {
      database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES ('a', 'b', 'c', 1)`);
      throw new Error('stop');
    }),
  );

  assert.equal((database.get('SELECT count(*) AS n FROM sessions') as { n: number }).n, 0);
});

test('columns keep their types', () => {
  using database = openDatabase(scratch());

  assert.throws(() => database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES ('a', 'b', 'c', 'soon')`));
});

test('what was written is in the log on the disk when settle resolves, and many at once share a sync', async () => {
  const file = scratch();
  using database = openDatabase(file);
  const add = async (id: string): Promise<void> => {
    database.relaxed(() => database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES (?, 'b', 'c', 1)`, id));
    await database.settle();
  };

  await Promise.all(['one', 'two', 'three'].map(add));

  const log = fs.readFileSync(`${file}-wal`).toString('latin1');
  for (const id of ['one', 'two', 'three']) assert.ok(log.includes(id), `${id} is in the log`);
});

test(
  'a database that is closed while its log is synced leaves no descriptor of it behind',
  { skip: !fs.existsSync('/proc/self/fd') },
  async () => {
    const file = scratch();
    const open = (): number =>
      fs.readdirSync('/proc/self/fd').filter((fd) => {
        try {
          return fs.readlinkSync(`/proc/self/fd/${fd}`).startsWith(file);
        } catch {
          return false;
        }
      }).length;
    {
      using database = openDatabase(file);
      database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES ('a', 'b', 'c', 1)`);
      void database.settle();
      await Promise.resolve();
    }

    for (let tries = 0; open() > 0 && tries < 200; tries += 1) await new Promise((resolve) => setTimeout(resolve, 5));

    assert.equal(open(), 0);
  },
);

test('the log is moved into the database when it holds 16 MB, and is written again from its start', () => {
  const file = scratch();
  using database = openDatabase(file);
  database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES ('a', 'b', 'c', 1)`);

  for (let ms = 0; ms < 9000; ms += 1) database.relaxed(() => database.run('UPDATE sessions SET created_ms = ?', ms));

  const pages = (fs.statSync(`${file}-wal`).size - 32) / (4096 + 24);
  assert.ok(pages >= 3900 && pages <= 4062, `the log has ${pages} pages`);
});
