import fs from 'node:fs';
import path from 'node:path';
import { reasonOf } from '../../contracts/errors.ts';
import type { TenantId } from '../../contracts/ids.ts';
import type { PolicySource } from '../../contracts/policy.ts';
import { compilePolicy } from '../../governance/policy-snapshot.ts';
import type { Home } from '../../state/home.ts';
import { fail, firstOf, ok, type Check } from './check.ts';
import { tenantsIn } from './tenants-in.ts';

export const policies: Check = {
  name: 'policies',
  run: ({ home }) => {
    const tenants = tenantsIn(home);
    const problems = tenants.flatMap((tenant) => problemOf(home, tenant) ?? []);
    if (problems.length === 0)
      return ok(`The platform's policy compiles, with those of ${tenants.length} tenant${tenants.length === 1 ? '' : 's'}.`);
    return fail(firstOf(problems), 'Correct the file; until then every call is denied. clawhold policy check shows the line.');
  },
};

function problemOf(home: Home, tenant: TenantId): string | undefined {
  try {
    compilePolicy([
      ...source(home, 'platform', path.join('policies', 'platform.yaml')),
      ...source(home, 'tenant', path.join('tenants', tenant, 'policy.yaml')),
    ]);
    return undefined;
  } catch (error) {
    return reasonOf(error);
  }
}

function source(home: Home, layer: 'platform' | 'tenant', file: string): PolicySource[] {
  const place = path.join(home.dir, file);
  return fs.existsSync(place) ? [{ layer, file, text: fs.readFileSync(place, 'utf8') }] : [];
}
