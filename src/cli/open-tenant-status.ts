import { systemClock } from '../contracts/clock.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { StatusContext } from '../control/tenant-status.ts';
import { refuseLooserTenant } from '../governance/looser-rules.ts';
import { compilePolicy } from '../governance/policy-snapshot.ts';
import type { Queue } from '../state/queue.ts';
import { openSchedules } from '../state/schedules.ts';
import { openSandboxHolds } from '../state/sandbox-holds.ts';
import { openTenants } from '../state/tenants.ts';
import { openUsage } from '../state/usage.ts';
import { describeCoreTools } from '../tools/tool-set.ts';
import type { App } from './app.ts';
import { readPolicyFiles } from './home-files.ts';

/** Everything that the status of tenants is read from. */
export async function openTenantStatus(app: App, queue: Queue): Promise<StatusContext> {
  const [home, database] = await Promise.all([app.home(), app.database()]);
  const clock = systemClock;
  return {
    clock,
    queue,
    tenants: openTenants(home),
    usage: openUsage({ database, home, clock }),
    holds: openSandboxHolds(database),
    schedules: openSchedules(database),
    checkPolicy: async (tenant: TenantId) =>
      refuseLooserTenant(compilePolicy(await readPolicyFiles(home, tenant), { tools: describeCoreTools() })),
  };
}
