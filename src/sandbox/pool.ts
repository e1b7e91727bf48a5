import { SandboxRequestError } from './sandbox-error.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from './sandbox.ts';

export interface PoolOptions {
  readonly driver: SandboxDriver;
  /** Warm sandboxes at most, over all specs. 0 switches warming off. */
  readonly maxWarm: number;
  /** Memory of all warm ones together at most, by what the driver says an idle one costs. */
  readonly maxMemoryBytes: number;
  /** A warm one that is older is stopped, not used. */
  readonly maxAgeMs: number;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** A warm-up that failed: for the log. The next `acquire` starts its own and has the reason. */
  readonly onWarmFailed?: (error: unknown) => void;
}

/**
 * Sandboxes started ahead.
 *
 * Contract:
 * - a sandbox is handed out once: after use it is stopped, never taken back;
 * - one that was started for a spec serves only an equal spec, its label aside;
 * - one whose masks no longer cover its workspace, that ended, or that is too old is stopped and not handed out;
 * - no more are warm than number and memory allow: the one that was not asked for the longest goes first.
 */
export interface SandboxPool extends AsyncDisposable {
  /** Warm when there is one, else started now; another is then warmed for the same spec. */
  acquire(spec: SandboxSpec): Promise<{ readonly sandbox: Sandbox; readonly warm: boolean }>;
  /** Starts one ahead. */
  warm(spec: SandboxSpec): Promise<void>;
  readonly warmCount: number;
}

interface Warm {
  readonly key: string;
  readonly sandbox: Sandbox;
  readonly sinceMs: number;
}

export function openPool(options: PoolOptions): SandboxPool {
  const { driver, now } = options;
  const capacity = capacityOf(options);
  let warm: Warm[] = [];
  let isClosed = false;
  const working = new Set<Promise<unknown>>();
  const inBackground = (work: Promise<unknown>): void => keepUntilSettled(working, work, options.onWarmFailed);

  async function takeWarm(key: string): Promise<Sandbox | undefined> {
    const found = warm.find((entry) => entry.key === key);
    if (found === undefined) return undefined;
    warm = warm.filter((entry) => entry !== found);
    if (now() - found.sinceMs <= options.maxAgeMs && (await found.sandbox.isFresh())) return found.sandbox;
    inBackground(found.sandbox.stop());
    return await takeWarm(key);
  }

  async function startWarm(spec: SandboxSpec): Promise<void> {
    if (capacity === 0 || isClosed) return;
    const entry = { key: keyOf(spec), sandbox: await driver.start({ ...spec, label: 'warm' }), sinceMs: now() };
    if (isClosed) return await entry.sandbox.stop();
    warm.push(entry);
    for (const surplus of warm.splice(0, Math.max(0, warm.length - capacity))) inBackground(surplus.sandbox.stop());
  }

  return {
    async acquire(spec) {
      if (isClosed) throw new SandboxRequestError('No sandbox was handed out', 'The pool is closed', 'Open another');
      const found = await takeWarm(keyOf(spec));
      const sandbox = found ?? (await driver.start(spec));
      inBackground(startWarm(spec));
      return { sandbox, warm: found !== undefined };
    },
    warm: startWarm,
    get warmCount() {
      return warm.length;
    },
    async [Symbol.asyncDispose]() {
      isClosed = true;
      await Promise.all([...warm.splice(0).map(async ({ sandbox }) => sandbox.stop()), ...working]);
    },
  };
}

function capacityOf({ driver, maxWarm, maxMemoryBytes }: PoolOptions): number {
  const each = driver.capabilities.idleMemoryBytes;
  return each === 0 ? 0 : Math.min(maxWarm, Math.floor(maxMemoryBytes / each));
}

function keepUntilSettled(working: Set<Promise<unknown>>, work: Promise<unknown>, onFailed: PoolOptions['onWarmFailed']): void {
  const settled = work.catch((error: unknown) => onFailed?.(error)).finally(() => working.delete(settled));
  working.add(settled);
}

/** Equal for specs that differ in their label only. */
function keyOf(spec: SandboxSpec): string {
  const { label: _label, ...rest } = spec;
  return JSON.stringify(sorted(rest));
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
  return Object.fromEntries(entries.toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([name, inner]) => [name, sorted(inner)]));
}
