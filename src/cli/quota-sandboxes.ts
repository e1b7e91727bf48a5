import { systemClock } from '../contracts/clock.ts';
import type { ClawholdConfig } from '../contracts/config.ts';
import type { TenantId } from '../contracts/ids.ts';
import { silentLog } from '../contracts/log.ts';
import { holdSandbox, type HoldSandboxContext } from '../control/hold-sandbox.ts';
import { overQuotaSentence } from '../control/quota.ts';
import type { Sandbox, SandboxDriver } from '../sandbox/sandbox.ts';
import { SandboxUnavailableError } from '../sandbox/sandbox-error.ts';
import type { Database } from '../state/database.ts';
import type { Home } from '../state/home.ts';
import { openSandboxHolds } from '../state/sandbox-holds.ts';
import { openTenants } from '../state/tenants.ts';
import type { Env } from './app.ts';
import type { SandboxesOfProcess } from './open-sandbox-pool.ts';
import { placedImage, runtimeDirOf, type Sandboxes, type SandboxSettings } from './sandboxes.ts';

/** A sandbox began to serve a run, or was let go. */
export interface SandboxFact {
  readonly what: 'started' | 'stopped';
  readonly tenant: TenantId;
  readonly run: string;
  readonly sandbox: string;
}
export type SandboxListener = (fact: SandboxFact) => void;

export interface TenantSandboxesOptions {
  readonly env: Env;
  readonly tenant: TenantId;
  readonly image: SandboxSettings['image'];
  readonly home: Home;
  readonly config: ClawholdConfig['sandbox'];
  readonly database: Database;
  readonly pool: SandboxesOfProcess;
  readonly listener?: SandboxListener | undefined;
}

/** The drivers of this machine, each of whose sandboxes takes a place within the tenant's quotas as long as it is there. */
export async function openTenantSandboxes(options: TenantSandboxesOptions): Promise<Sandboxes> {
  const { env, tenant, home, config, database, pool, listener } = options;
  const image = placedImage(options.image, home.tenantRoot(tenant));
  const opened = await pool.open({ runtimeDir: runtimeDirOf(env), config, image, root: home.root });
  const ctx = { clock: systemClock, log: silentLog, holds: openSandboxHolds(database), tenants: openTenants(home), listener };
  const counted = new Map(opened.drivers.map((driver) => [driver, countedDriver(driver, ctx, tenant)]));
  return {
    ...opened,
    drivers: [...counted.values()],
    candidates: opened.candidates.map((driver) => counted.get(driver) ?? countedDriver(driver, ctx, tenant)),
  };
}

interface CountContext extends HoldSandboxContext {
  readonly listener?: SandboxListener | undefined;
}

/** @throws SandboxUnavailableError over quota: then nothing has run. */
export function countedDriver(driver: SandboxDriver, ctx: CountContext, tenant: TenantId): SandboxDriver {
  return {
    name: driver.name,
    capabilities: driver.capabilities,
    probe: async () => await driver.probe(),
    start: async (spec, options) => {
      const { cpus, memoryBytes } = spec.limits;
      const wish = {
        tenant,
        run: spec.label,
        ...(cpus === undefined ? {} : { cpu: cpus }),
        ...(memoryBytes === undefined ? {} : { memoryMb: memoryBytes / 2 ** 20 }),
      };
      const hold = holdSandbox(ctx, wish);
      if (hold.outcome === 'refused')
        throw new SandboxUnavailableError(driver.name, overQuotaSentence(tenant, hold.quota), 'Then try again.');
      try {
        const sandbox = await driver.start(spec, options);
        const fact = { tenant, run: spec.label, sandbox: sandbox.id };
        ctx.listener?.({ what: 'started', ...fact });
        let isHeld = true;
        return countedSandbox(sandbox, () => {
          hold[Symbol.dispose]();
          if (isHeld) ctx.listener?.({ what: 'stopped', ...fact });
          isHeld = false;
        });
      } catch (error) {
        hold[Symbol.dispose]();
        throw error;
      }
    },
    [Symbol.asyncDispose]: async () => await driver[Symbol.asyncDispose](),
  };
}

/** Its place is free when it has stopped, however often it is told to, also when stopping failed. */
function countedSandbox(sandbox: Sandbox, release: () => void): Sandbox {
  const stop = async (): Promise<void> => {
    try {
      await sandbox.stop();
    } finally {
      release();
    }
  };
  return {
    id: sandbox.id,
    driver: sandbox.driver,
    label: sandbox.label,
    exec: async (argv, options) => await sandbox.exec(argv, options),
    copyIn: async (hostPath, insidePath) => await sandbox.copyIn(hostPath, insidePath),
    copyOut: async (insidePath, hostPath) => await sandbox.copyOut(insidePath, hostPath),
    isFresh: async () => await sandbox.isFresh(),
    stop,
    [Symbol.asyncDispose]: stop,
  };
}
