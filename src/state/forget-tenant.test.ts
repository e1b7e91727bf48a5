import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import { openDatabase } from './database.ts';
import { forgetTenant } from './forget-tenant.ts';
import { openTokens } from './tokens.ts';

/** Tables whose rows are no tenant's own, or go with another row. */
const ofNobody: ReadonlySet<string> = new Set(['token_secrets', 'webhook_calls']);

test('nothing of a forgotten tenant is left in any table, and everything of another one is', () => {
  using database = openDatabase(path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'forget-')), 'db'));
  const tables = database.all(`SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'`) as { name: string }[];
  for (const { name } of tables.filter((table) => !ofNobody.has(table.name))) {
    const columns = database.all(`SELECT name, type FROM pragma_table_info('${name}')`) as { name: string; type: string }[];
    assert.ok(
      columns.some((column) => column.name === 'tenant'),
      `${name} has no column tenant: say in this test why its rows are nobody's`,
    );
    for (const tenant of ['acme', 'beta']) {
      const values = columns.map((column) =>
        column.name === 'tenant' ? tenant : column.type === 'INTEGER' ? 1 : `${tenant}-${column.name}`,
      );
      database.run(`INSERT OR REPLACE INTO ${name} VALUES (${columns.map(() => '?').join(', ')})`, ...values);
    }
  }
  // One that is open and one that ended, beside the one in a state that no version knows.
  for (const state of ['running', 'done'])
    database.run(
      `INSERT INTO runs (id, session, tenant, agent, state, door, model, input_preview, reason, created_ms, turns, tool_calls, input_tokens, output_tokens)
       VALUES (?, 's', 'acme', 'a', ?, 'http', 'm', '', '', 1, 0, 0, 0, 0)`,
      state,
      state,
    );
  const { secret } = openTokens(database).create({ tenant: parseTenantId('acme'), roles: ['admin'], label: '', nowMs: 1 });
  const count = (name: string, tenant: string): number =>
    (database.get(`SELECT count(*) AS n FROM ${name} WHERE tenant = ?`, tenant) as { n: number }).n;
  const owned = tables.map(({ name }) => name).filter((name) => !ofNobody.has(name));

  const before = owned.reduce((sum, name) => sum + count(name, 'acme'), 0);
  const removed = forgetTenant(database, parseTenantId('acme'));

  assert.equal(removed, before);
  assert.deepEqual(
    owned.map((name) => [name, count(name, 'acme'), count(name, 'beta') > 0]),
    owned.map((name) => [name, 0, true]),
  );
  assert.equal(openTokens(database).authenticate(secret, 2), undefined);
  assert.equal((database.get('SELECT count(*) AS n FROM token_secrets') as { n: number }).n, 0);
});

test('runs are forgotten by the index while others cannot write', () => {
  using database = openDatabase(path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'forget-')), 'db'));
  const asked: string[] = [];

  forgetTenant({ ...database, run: (sql, ...values) => (asked.push(sql), database.run(sql, ...values)) }, parseTenantId('acme'));

  const ofRuns = asked.filter((sql) => sql.startsWith('DELETE FROM runs'));
  assert.equal(ofRuns.length, 2);
  for (const sql of ofRuns)
    assert.match(
      JSON.stringify(database.all(`EXPLAIN QUERY PLAN ${sql}`)),
      /SEARCH runs USING (COVERING )?INDEX runs_(open|ended\w*) \(tenant=/,
    );
});
