import type { Enforcements } from '../probe.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import type { LimitName, SandboxLimits } from '../sandbox.ts';

/** A limit that nothing here can hold is refused, not forgotten. @throws SandboxUnavailableError naming all of them. */
export function checkLimits(driver: string, limits: SandboxLimits, enforcements: Enforcements): void {
  const asked = Object.entries(limits).filter(([, value]) => value !== undefined) as [LimitName, number][];
  const broken = asked.filter(([, value]) => !(value > 0) || !Number.isFinite(value)).map(([name, value]) => `${name} ${value}`);
  if (broken.length > 0) throw new SandboxUnavailableError(driver, `${broken.join(', ')} is not a limit`, 'Give numbers above zero');
  const missing = asked.filter(([name]) => enforcements[name] === undefined).map(([name, value]) => `${name} ${value}`);
  if (missing.length === 0) return;
  throw new SandboxUnavailableError(
    driver,
    `nothing on this machine can hold ${missing.join(', ')}`,
    'Leave that limit away knowingly, run as root or with a delegated cgroup, or use another driver',
  );
}

/** Of the wanted limits, those that can be held here: for a caller that prefers fewer limits to no sandbox, and says so. */
export function enforceableLimits(wanted: SandboxLimits, enforcements: Enforcements): SandboxLimits {
  return Object.fromEntries(Object.entries(wanted).filter(([name]) => enforcements[name as LimitName] !== undefined));
}
