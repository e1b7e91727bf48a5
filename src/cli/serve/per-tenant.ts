import type { TenantId } from '../../contracts/ids.ts';

const maxTenants = 1000;

/** Made once for each tenant, as long as there are not too many: what is made holds nothing but its tenant's name. */
export function perTenant<T>(make: (tenant: TenantId) => T): (tenant: TenantId) => T {
  const made = new Map<TenantId, T>();
  return (tenant) => {
    const known = made.get(tenant);
    if (known !== undefined) return known;
    if (made.size >= maxTenants) made.clear();
    const one = make(tenant);
    made.set(tenant, one);
    return one;
  };
}
