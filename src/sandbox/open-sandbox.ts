import { enforceableLimits } from './host/check-limits.ts';
import { type IsolationClass, type Probe, reachesClass } from './probe.ts';
import { SandboxUnavailableError } from './sandbox-error.ts';
import type { SandboxDriver, SandboxLimits } from './sandbox.ts';

export interface ChooseDriverOptions {
  /** All that are configured, in no order. */
  readonly drivers: readonly SandboxDriver[];
  /** A driver's name, or `auto`: the strongest that works. */
  readonly wanted: string;
  /** Of agent, policy and tool: the strictest. */
  readonly minimum: IsolationClass;
}

export interface DriverChoice {
  readonly driver: SandboxDriver;
  readonly probe: Extract<Probe, { works: true }>;
  /** One sentence for people: which, and why not a stronger one. */
  readonly why: string;
}

/**
 * Contract: a driver that was named is used or refused, never replaced; `auto` takes the strongest one that passes its
 * probe; nothing below the minimum is ever returned.
 * @throws SandboxUnavailableError with the reason of every driver that was considered.
 */
export async function chooseDriver({ drivers, wanted, minimum }: ChooseDriverOptions): Promise<DriverChoice> {
  const considered = wanted === 'auto' ? drivers : drivers.filter(({ name }) => name === wanted);
  if (considered.length === 0) {
    const names = drivers.map(({ name }) => name).join(', ');
    throw new SandboxUnavailableError(wanted, `there is no driver of that name, only ${names}`, 'Correct the name, or write auto');
  }
  const strong = considered.filter(
    ({ capabilities }) => reachesClass(capabilities.isolation, minimum) && capabilities.isolation !== 'none',
  );
  const probes = await Promise.all(strong.map(async (driver) => ({ driver, probe: await driver.probe() })));
  const refusals = [
    ...considered.filter((driver) => !strong.includes(driver)).map((driver) => tooWeak(driver, minimum)),
    ...probes.flatMap(({ probe }) => (probe.works ? [] : [`${probe.driver}: ${probe.reason}`])),
  ];
  let best: DriverChoice | undefined;
  for (const { driver, probe } of probes) {
    if (!probe.works || (best !== undefined && reachesClass(best.probe.isolation, probe.isolation))) continue;
    if (reachesClass(probe.isolation, minimum)) best = { driver, probe, why: '' };
  }
  if (best === undefined)
    throw new SandboxUnavailableError(wanted, refusals.join(' '), `Make one of them work that reaches the class ${minimum}`);
  const others = refusals.length === 0 ? '' : ` Not used: ${refusals.join(' ')}`;
  return { ...best, why: `${best.driver.name} ${best.probe.version} reaches the class ${best.probe.isolation}.${others}` };
}

function tooWeak({ name, capabilities }: SandboxDriver, minimum: IsolationClass): string {
  return `${name}: its class ${capabilities.isolation} is below ${minimum}.`;
}

/** What a sandbox gets where nothing else is configured. */
export const defaultLimits: SandboxLimits = {
  memoryBytes: 2 * 1024 ** 3,
  cpus: 2,
  pids: 512,
  openFiles: 4096,
  diskBytes: 4 * 1024 ** 3,
  outputBytes: 64 * 1024 ** 2,
  wallMs: 3_600_000,
};

/** The default limits as far as this machine can hold them, and the names of those it cannot: a caller must show these. */
export function limitsFor(probe: Extract<Probe, { works: true }>): { readonly limits: SandboxLimits; readonly missing: readonly string[] } {
  const limits = enforceableLimits(defaultLimits, probe.limits);
  return { limits, missing: Object.keys(defaultLimits).filter((name) => !(name in limits)) };
}

/** Every driver with what it found out: for `sandbox list`, `sandbox probe` and doctor. */
export async function probeDrivers(drivers: readonly SandboxDriver[]): Promise<readonly Probe[]> {
  return await Promise.all(drivers.map(async (driver) => driver.probe()));
}
