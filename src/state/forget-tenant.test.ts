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
  const { secret } = openTokens(database).create({ tenant: parseTenantId('acme'), roles: ['admin'], label: '', nowMs: 1 });
  const count = (name: string, tenant: string): number =>
    (database.get(`SELECT count(*) AS n FROM ${name} WHERE tenant = ?`, tenant) as { n: number }).n;
  const owned = tables.map(({ name }) => name).filter((name) => !ofNobody.has(name));

  const removed = forgetTenant(database, parseTenantId('acme'));

  assert.ok(removed >= owned.length);
  assert.deepEqual(
    owned.map((name) => [name, count(name, 'acme'), count(name, 'beta') > 0]),
    owned.map((name) => [name, 0, true]),
  );
  assert.equal(openTokens(database).authenticate(secret, 2), undefined);
  assert.equal((database.get('SELECT count(*) AS n FROM token_secrets') as { n: number }).n, 0);
});
