import { systemClock } from '../contracts/clock.ts';
import type { SandboxPoolSettings } from '../contracts/sandbox-pool.ts';
import { openPool, type PoolBounds, type SandboxPool } from '../sandbox/pool.ts';
import { poolDriver } from '../sandbox/pool-driver.ts';
import { openSandboxes, type OpenSandboxesOptions, type Sandboxes } from './sandboxes.ts';

export interface SandboxPoolOptions {
  /** `sandbox.pool` of clawhold.yaml, asked for each time: after a reload the new bounds hold. */
  readonly settings?: () => SandboxPoolSettings | undefined;
  /** A warm-up that failed; the next run starts its own sandbox and has the reason. */
  readonly onWarmFailed?: (error: unknown) => void;
}

/**
 * The sandboxes of a process that lives long, shared by its runs and its tenants: drivers are probed once a minute, what
 * dead processes left is taken away as often, and the next sandbox of an agent is started ahead.
 *
 * Contract: no sandbox is handed to two runs; one was started for the very workspace, limits and image that it serves;
 * after disposal none of those started ahead is left.
 */
export interface SandboxesOfProcess extends AsyncDisposable {
  open(options: OpenSandboxesOptions): Promise<Sandboxes>;
  readonly warmCount: number;
}

const againMs = 60_000;

function nowMs(): number {
  return systemClock.now();
}

export function openSandboxPool(options: SandboxPoolOptions = {}): SandboxesOfProcess {
  const { onWarmFailed } = options;
  const bounds = (): PoolBounds => boundsOf(options.settings?.());
  const pool = openPool({ bounds, now: nowMs, ...(onWarmFailed === undefined ? {} : { onWarmFailed }) });
  const opened = new Map<string, Promise<Sandboxes>>();
  return {
    async open(asked) {
      const key = JSON.stringify([asked.runtimeDir, asked.config, asked.image, asked.root]);
      const found = opened.get(key) ?? openShared(pool, asked);
      opened.set(key, found);
      found.catch(() => opened.delete(key)); // silent-ok: whoever asked has the rejection
      return await found;
    },
    get warmCount() {
      return pool.warmCount;
    },
    async [Symbol.asyncDispose]() {
      await pool[Symbol.asyncDispose]();
      for (const one of opened.values()) await (await one)[Symbol.asyncDispose]();
      opened.clear();
    },
  };
}

/** docs/CONFIG.md names the defaults. */
export const defaultPool: { readonly size: number; readonly memoryMiB: number; readonly seconds: number } = {
  size: 4,
  memoryMiB: 128,
  seconds: 300,
};

function boundsOf(settings: SandboxPoolSettings | undefined): PoolBounds {
  const { size = defaultPool.size, memoryMiB = defaultPool.memoryMiB, seconds = defaultPool.seconds } = settings ?? {};
  return { maxWarm: size, maxMemoryBytes: memoryMiB * 2 ** 20, maxAgeMs: seconds * 1000 };
}

async function openShared(pool: SandboxPool, asked: OpenSandboxesOptions): Promise<Sandboxes> {
  const own = await openSandboxes(asked);
  const shared = new Map(own.drivers.map((driver) => [driver, poolDriver({ driver, pool, probeMs: againMs, now: nowMs })]));
  let reaped: { readonly atMs: number; readonly report: ReturnType<Sandboxes['reap']> } | undefined;
  return {
    ...own,
    drivers: [...shared.values()],
    candidates: own.candidates.map((driver) => shared.get(driver) ?? driver),
    reap: async () => {
      if (reaped === undefined || nowMs() - reaped.atMs > againMs) reaped = { atMs: nowMs(), report: own.reap() };
      return await reaped.report;
    },
  };
}
