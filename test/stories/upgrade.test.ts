import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { openDatabase } from '../../src/state/database.ts';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation, type Installation } from './installation.ts';
import { serveHome } from './served.ts';

const firstSchema = fs.readFileSync(path.join(import.meta.dirname, 'fixtures', 'state-schema-1.sql'), 'utf8');

/** Puts the database of the first version in place of the home's, with the rows that fit. */
function setBack(one: Installation): void {
  const file = path.join(one.home, 'state.db');
  const rows = (sql: string): Record<string, string | number | null>[] => {
    using database = openDatabase(file);
    return database.all(sql) as Record<string, string | number | null>[];
  };
  const kept = { runs: rows('SELECT * FROM runs'), sessions: rows('SELECT * FROM sessions') };
  for (const suffix of ['', '-wal', '-shm']) fs.rmSync(`${file}${suffix}`, { force: true });
  using database = openDatabase(file, { steps: [firstSchema] });
  for (const [table, all] of Object.entries(kept)) {
    const columns = (database.all(`PRAGMA table_info(${table})`) as { name: string }[]).map(({ name }) => name);
    for (const row of all) {
      const marks = columns.map(() => '?').join(', ');
      database.run(`INSERT INTO ${table} (${columns.join(', ')}) VALUES (${marks})`, ...columns.map((name) => row[name] ?? null));
    }
  }
}

function versionOf(one: Installation, name = 'state.db'): number {
  using database = openDatabase(path.join(one.home, name));
  return (database.get('PRAGMA user_version') as { user_version: number }).user_version;
}

test('a home of the first version opens in a server: its runs are there, its sessions go on, and opening it twice changes nothing', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over' }) });
  using one = newInstallation({ openAi: server.baseUrl });
  const before = (await one.cli(['ask', 'hello', '--json'])).json;
  setBack(one);

  await using served = await serveHome(one);
  const old = await served.reached(before.run, 'done');
  const next = await served.reached(await served.post('and now?', { session: before.session }), 'done', 'failed');
  served.child.kill('SIGTERM');
  await served.done;

  assert.deepEqual([old.output, next.state, next.session], ['over', 'done', before.session]);
  const latest = versionOf(one, 'fresh.db');
  assert.deepEqual([versionOf(one), versionOf(one), latest > 1], [latest, latest, true]);
  assert.equal((await one.cli(['audit', 'verify', '--bundles'])).code, 0);
});

test('a home of a newer version is refused with what to do, and is not touched', async () => {
  using one = newInstallation();
  const file = path.join(one.home, 'state.db');
  openDatabase(file, { steps: Array.from({ length: 1000 }, (_, index) => `CREATE TABLE later_${index} (id TEXT)`) })[Symbol.dispose]();
  const bytes = fs.readFileSync(file);

  const { code, json } = await one.cli(['serve', '--port', '0', '--json']);

  assert.equal(code, 2);
  assert.equal(json.error.code, 'state.database-newer');
  assert.deepEqual(fs.readFileSync(file), bytes);
});
