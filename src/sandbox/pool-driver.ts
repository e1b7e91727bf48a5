import type { SandboxPool } from './pool.ts';
import type { Probe } from './probe.ts';
import type { SandboxDriver } from './sandbox.ts';

export interface PoolDriverOptions {
  readonly driver: SandboxDriver;
  readonly pool: SandboxPool;
  /** How long a probe that passed is believed; one that did not is repeated. */
  readonly probeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

/**
 * A driver for a process that lives long: its probe is remembered for a while, and a spec that will be asked for again
 * takes a sandbox that was started ahead.
 *
 * Contract: what is started is set up and refused as without the pool; a remembered probe only spares its canary.
 */
export function poolDriver({ driver, pool, probeMs, now }: PoolDriverOptions): SandboxDriver {
  let last: { readonly atMs: number; readonly probe: Promise<Probe> } | undefined;
  return {
    name: driver.name,
    capabilities: driver.capabilities,
    async probe() {
      if (last === undefined || now() - last.atMs > probeMs) last = { atMs: now(), probe: driver.probe() };
      const found = await last.probe;
      if (!found.works) last = undefined;
      return found;
    },
    start: async (spec, options) =>
      options?.again === true ? (await pool.acquire(driver, spec, options)).sandbox : await driver.start(spec, options),
    [Symbol.asyncDispose]: async () => await driver[Symbol.asyncDispose](),
  };
}
