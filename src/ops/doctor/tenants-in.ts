import fs from 'node:fs';
import path from 'node:path';
import { isTenantName, parseTenantId, type TenantId } from '../../contracts/ids.ts';
import type { Home } from '../../state/home.ts';

/** Tenants that have a folder, valid or not; nothing is parsed. */
export function tenantsIn(home: Home): TenantId[] {
  const dir = path.join(home.dir, 'tenants');
  if (!fs.existsSync(dir)) return [];
  const entries = fs.readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory() && isTenantName(entry.name));
  return entries.map(({ name }) => parseTenantId(name)).toSorted();
}
