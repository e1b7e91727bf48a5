import { parseRunId, type TenantId } from '../contracts/ids.ts';
import { listSandboxes } from '../sandbox/reap-orphans.ts';
import type { Runs } from '../state/runs.ts';

/** Live sandboxes of all processes, by tenant: a sandbox is labelled with its run. Others, such as ones kept ready, are left out. */
export async function sandboxTenants(runtimeDir: string, runs: Pick<Runs, 'get'>): Promise<ReadonlyMap<TenantId, number>> {
  const found = new Map<TenantId, number>();
  for (const { label, isOrphan } of await listSandboxes(runtimeDir)) {
    const run = /^run_[0-9a-hjkmnp-tv-z]{26}/.exec(label)?.[0];
    const tenant = run === undefined || isOrphan ? undefined : runs.get(parseRunId(run))?.tenant;
    if (tenant !== undefined) found.set(tenant, (found.get(tenant) ?? 0) + 1);
  }
  return found;
}
