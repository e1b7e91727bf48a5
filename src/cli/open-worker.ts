import { systemClock } from '../contracts/clock.ts';
import { defaultLimits, type ClawholdConfig } from '../contracts/config.ts';
import { usdUse } from '../control/quota.ts';
import { isClaimAlive } from '../governance/ledger.ts';
import { openSharedSync } from '../state/durable-dir.ts';
import { openMoneyHolds } from '../state/money-holds.ts';
import { openTenants } from '../state/tenants.ts';
import { openUsage } from '../state/usage.ts';
import { openApprovalDesk } from '../worker/approval-desk.ts';
import type { WorkerContext } from '../worker/worker-context.ts';
import type { App, WorkerOptions } from './app.ts';
import { buildId } from './build-id.ts';

const defaultExpiryMinutes = 24 * 60;

/** Everything that a worker needs, on one installation. */
export async function openWorker(app: App, options: WorkerOptions): Promise<WorkerContext> {
  const [home, config] = await Promise.all([app.home(), app.config()]);
  const [runs, approvals, redactor, objects] = await Promise.all([app.runs(), app.approvals(), app.redactor(), app.objects()]);
  const expiresMs = (config.approvals?.expiresMinutes ?? defaultExpiryMinutes) * 60_000;
  // Whoever sits at the terminal asked for the run.
  const isTheirs = options.surface === 'terminal' && config.approvals?.distinctApprover === true;
  const surface = isTheirs ? 'wait' : options.surface;
  return {
    home,
    clock: systemClock,
    build: buildId(),
    limits: ceilingsOf(config),
    defaultModel: config.model,
    memo: app.memo,
    readings: app.readings,
    syncShared: openSharedSync(),
    runs,
    objects,
    ledger: async () => await app.ledger(),
    redactor,
    money: await moneyOf(app),
    openModel: async (ref) => await app.model(ref),
    openSandbox: app.openSandbox,
    openTools: app.openTools,
    describeTools: async (agent) => await (await import('./agent-tools.ts')).describeAgentTools(agent, systemClock),
    policyFiles: async (_tenant, sinceMs) => await app.policyFiles(sinceMs),
    approvalDesk: (item) => openApprovalDesk({ approvals, clock: systemClock, expiresMs, ...options, surface }, item),
    emit: options.emit,
  };
}

/** The day's money, with the tenant's quota as its file says now. */
async function moneyOf(app: App): Promise<NonNullable<WorkerContext['money']>> {
  const [home, database] = await Promise.all([app.home(), app.database()]);
  const [holds, tenants, usage] = [openMoneyHolds(database), openTenants(home), openUsage({ database, home, clock: systemClock })];
  return {
    take: (wish) => {
      const { limit } = usdUse({ clock: systemClock, usage }, tenants.existing(wish.tenant));
      return holds.take(
        { ...wish, limitMicroUsd: Math.floor(limit * 1e6) },
        {
          spentMicroUsd: () => usage.costMicroUsd(wish.tenant, systemClock.now()),
          isAlive: (owner) => isClaimAlive(home.ledgerDir(wish.tenant), owner),
        },
      );
    },
    release: (run) => holds.release(run),
  };
}

/** The configured ceilings; what is not configured has its default. */
function ceilingsOf(config: ClawholdConfig): WorkerContext['limits'] {
  const given = config.limits ?? {};
  const { turns, seconds, toolCalls, tokens, usd } = defaultLimits;
  return {
    turns: given.turns ?? turns,
    seconds: given.seconds ?? seconds,
    toolCalls: given.toolCalls ?? toolCalls,
    tokens: given.tokens ?? tokens,
    usd: given.usd ?? usd,
  };
}
