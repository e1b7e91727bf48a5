import * as z from 'zod/mini';
import type { TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';

const names = z.array(z.object({ name: z.string() }));

/**
 * Removes every row of a tenant from every table that has a column `tenant`, those of later schemas too: a new tenant of
 * the same name finds nothing. Durable when it returns; how many rows there were.
 */
export function forgetTenant(database: Database, tenant: TenantId): number {
  const tables = names.parse(
    database.all(
      `SELECT t.name FROM sqlite_schema t JOIN pragma_table_info(t.name) c WHERE t.type = 'table' AND c.name = 'tenant' ORDER BY t.name`,
    ),
  );
  return database.transact(() =>
    tables.reduce((removed, { name }) => removed + database.run(`DELETE FROM "${name}" WHERE tenant = ?`, tenant).changes, 0),
  );
}
