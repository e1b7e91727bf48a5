import { systemClock } from '../../contracts/clock.ts';
import { admit, type AdmitContext } from '../../control/admit.ts';
import { maxSchedulesOf } from '../../control/quota.ts';
import { openScheduler, type Scheduler } from '../../control/scheduler.ts';
import { isClaimAlive } from '../../governance/ledger.ts';
import { openDeliveries } from '../../state/deliveries.ts';
import { openRuns } from '../../state/runs.ts';
import { openSchedules } from '../../state/schedules.ts';
import { openWorkflows } from '../../state/workflows.ts';
import { openNotifyPost } from '../open-notify-post.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

export interface SchedulerParts extends ServeTools {
  readonly installation: Installation;
  readonly admission: AdmitContext;
}

/** The scheduler of one installation: its work goes through admission like any other. */
export function serveScheduler({ installation, admission, log, metrics }: SchedulerParts): Scheduler {
  const { home, database, tenants, appOf, ledgerOf } = installation;
  const runs = openRuns(database);
  return openScheduler({
    home,
    runs,
    log,
    metrics,
    clock: systemClock,
    maxSchedules: maxSchedulesOf(tenants),
    schedules: openSchedules(database),
    deliveries: openDeliveries(database),
    workflows: openWorkflows(database),
    ledger: ledgerOf,
    admit: async (principal, request) => await admit(admission, principal, request),
    tenants: async () => tenants.list(),
    lastSession: (tenant, agent) => runs.latest({ tenant, agent })?.session,
    isAlive: (tenant, owner) => isClaimAlive(home.ledgerDir(tenant), owner),
    post: openNotifyPost(appOf),
    secret: async (tenant, name) => (await (await appOf(tenant).secrets()).get(tenant, name))?.value,
  });
}
