import fs from 'node:fs';
import path from 'node:path';
import { systemClock } from '../../src/contracts/clock.ts';
import { newRunId, newSessionId, type TenantId } from '../../src/contracts/ids.ts';
import { silentLog } from '../../src/contracts/log.ts';
import { defaultAgentType, taskIdOf } from '../../src/contracts/task.ts';
import { openScheduler, type Scheduler } from '../../src/control/scheduler.ts';
import { isClaimAlive, openLedger } from '../../src/governance/ledger.ts';
import { openDatabase } from '../../src/state/database.ts';
import { openDeliveries } from '../../src/state/deliveries.ts';
import { homeAt } from '../../src/state/home.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import { openRuns } from '../../src/state/runs.ts';
import { openSchedules } from '../../src/state/schedules.ts';

/** A scheduler on the home's real database and queue. Leaves a line for each request it makes. */
async function openChildScheduler(homeDir: string): Promise<Scheduler> {
  const home = homeAt(homeDir);
  const database = openDatabase(home.databaseFile);
  const queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: systemClock });
  const tenant = 'default' as TenantId;
  const ledger = await openLedger({
    dir: home.ledgerDir(tenant),
    keyFile: path.join(home.root, 'user', 'config', 'keys', 'ledger.ed25519'),
    clock: systemClock,
  });
  return openScheduler({
    home,
    schedules: openSchedules(database),
    deliveries: openDeliveries(database),
    runs: openRuns(database),
    clock: systemClock,
    log: silentLog,
    ledger: async () => ledger,
    admit: async (principal, request) => {
      const run = newRunId(Date.now());
      const message = {
        tenant_id: principal.tenant,
        swarm_id: run,
        agent_type: defaultAgentType,
        shard_id: 0,
        task_id: taskIdOf(run),
        payload: { input: request.input },
        idempotency_key: request.idempotencyKey ?? '',
      };
      fs.appendFileSync(path.join(home.root, 'asked'), `${request.idempotencyKey}\n`);
      const [put] = await queue.put([{ message }]);
      const first = `run_${put!.taskId.slice(4)}` as typeof run;
      return { outcome: 'admitted', run: first, session: newSessionId(Date.now()), isNew: put!.isNew };
    },
    tenants: async () => [tenant],
    lastSession: () => undefined,
    isAlive: (_tenant, owner) => isClaimAlive(home.ledgerDir(tenant), owner),
    post: async () => ({ status: 200 }),
    secret: async () => undefined,
  });
}

// A program of its own: `node cron-child.ts HOME`.
(await openChildScheduler(process.argv[2] ?? '')).start();
process.stdout.write('started\n');
