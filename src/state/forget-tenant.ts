import * as z from 'zod/mini';
import type { TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';
import { isEnded, isOpen } from './runs/states-sql.ts';

const names = z.array(z.object({ name: z.string() }));
const ids = z.array(z.object({ id: z.string() }));

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
  // Looked for before the transaction, because no index has them: meanwhile others write.
  const strays = ids.parse(database.all(`SELECT id FROM runs WHERE tenant = ? AND NOT ${isOpen} AND NOT ${isEnded}`, tenant));
  const remove = (sql: string, value: string): number => database.run(sql, value).changes;
  return database.transact(() => {
    const byIndex = [isOpen, isEnded].map((states) => remove(`DELETE FROM runs WHERE tenant = ? AND ${states}`, tenant));
    const stray = strays.map(({ id }) => remove('DELETE FROM runs WHERE id = ?', id));
    const others = tables.filter(({ name }) => name !== 'runs').map(({ name }) => remove(`DELETE FROM "${name}" WHERE tenant = ?`, tenant));
    return [...byIndex, ...stray, ...others].reduce((sum, removed) => sum + removed, 0);
  });
}
