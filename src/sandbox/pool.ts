import { SandboxRequestError } from './sandbox-error.ts';
import type { Sandbox, SandboxDriver, SandboxSpec, StartOptions } from './sandbox.ts';

export interface PoolBounds {
  /** Warm sandboxes at most, of all drivers and specs. 0 switches warming off. */
  readonly maxWarm: number;
  /** Memory of all warm ones together at most, by what their drivers say an idle one costs. */
  readonly maxMemoryBytes: number;
  /** A warm one that is older is stopped, not used. */
  readonly maxAgeMs: number;
}

export interface PoolOptions {
  /** Asked for each time they matter; what waits longer than they allow now is gone at the next start or warm-up at the latest. */
  readonly bounds: () => PoolBounds;
  /** How long after one was handed out the next is started: not while whoever got it starts a command in it. Default 200 ms. */
  readonly refillAfterMs?: number;
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
 * - one that was started for a spec serves only an equal spec of the same driver, its label aside: it is called `warm`;
 * - one whose masks no longer cover its workspace, that ended, or that is too old is stopped and not handed out;
 * - no more are warm than number and memory allow: the one that was started first goes first.
 */
export interface SandboxPool extends AsyncDisposable {
  /** Warm when there is one, else started now; another is then warmed for the same spec. */
  acquire(driver: SandboxDriver, spec: SandboxSpec, options?: StartOptions): Promise<{ readonly sandbox: Sandbox; readonly warm: boolean }>;
  /** Starts one ahead. */
  warm(driver: SandboxDriver, spec: SandboxSpec): Promise<void>;
  readonly warmCount: number;
}

interface Warm {
  readonly driver: SandboxDriver;
  readonly key: string;
  readonly sandbox: Sandbox;
  readonly sinceMs: number;
  readonly timer: NodeJS.Timeout;
}

const defaultRefillMs = 200;

export function openPool(options: PoolOptions): SandboxPool {
  return new Pool(options);
}

class Pool implements SandboxPool {
  readonly #options: PoolOptions;
  readonly #working = new Set<Promise<unknown>>();
  readonly #refills = new Set<NodeJS.Timeout>();
  #warm: Warm[] = [];
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  get warmCount(): number {
    return this.#warm.length;
  }

  async acquire(driver: SandboxDriver, spec: SandboxSpec, how?: StartOptions): ReturnType<SandboxPool['acquire']> {
    if (this.#isClosed) throw new SandboxRequestError('No sandbox was handed out', 'The pool is closed', 'Open another');
    this.#shrink();
    const found = await this.#take(driver, keyOf(spec));
    const sandbox = found ?? (await driver.start(spec, how));
    this.#refillLater(driver, spec);
    return { sandbox, warm: found !== undefined };
  }

  async warm(driver: SandboxDriver, spec: SandboxSpec): Promise<void> {
    if (this.#isClosed || !fits([{ driver }], this.#options.bounds())) return;
    const sandbox = await driver.start({ ...spec, label: 'warm' });
    if (this.#isClosed) return await sandbox.stop();
    const timer = setTimeout(() => this.#discard(entry), this.#options.bounds().maxAgeMs);
    timer.unref();
    const entry: Warm = { driver, key: keyOf(spec), sandbox, sinceMs: this.#options.now(), timer };
    this.#warm.push(entry);
    this.#shrink();
  }

  #shrink(): void {
    const bounds = this.#options.bounds();
    for (let [oldest] = this.#warm; oldest !== undefined && !fits(this.#warm, bounds); [oldest] = this.#warm) this.#discard(oldest);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    for (const timer of this.#refills) clearTimeout(timer);
    for (const entry of this.#warm) this.#discard(entry);
    await Promise.all(this.#working);
  }

  async #take(driver: SandboxDriver, key: string): Promise<Sandbox | undefined> {
    const found = this.#warm.find((entry) => entry.driver === driver && entry.key === key);
    if (found === undefined) return undefined;
    this.#remove(found);
    const isYoung = this.#options.now() - found.sinceMs <= this.#options.bounds().maxAgeMs;
    if (isYoung && (await found.sandbox.isFresh())) return found.sandbox;
    this.#inBackground(found.sandbox.stop());
    return await this.#take(driver, key);
  }

  #refillLater(driver: SandboxDriver, spec: SandboxSpec): void {
    if (this.#isClosed || !fits([{ driver }], this.#options.bounds())) return;
    const timer = setTimeout(() => {
      this.#refills.delete(timer);
      this.#inBackground(this.warm(driver, spec));
    }, this.#options.refillAfterMs ?? defaultRefillMs);
    timer.unref();
    this.#refills.add(timer);
  }

  #remove(entry: Warm): void {
    clearTimeout(entry.timer);
    this.#warm = this.#warm.filter((one) => one !== entry);
  }

  #discard(entry: Warm): void {
    this.#remove(entry);
    this.#inBackground(entry.sandbox.stop());
  }

  #inBackground(work: Promise<unknown>): void {
    const settled = work.catch((error: unknown) => this.#options.onWarmFailed?.(error)).finally(() => this.#working.delete(settled));
    this.#working.add(settled);
  }
}

function fits(entries: readonly Pick<Warm, 'driver'>[], { maxWarm, maxMemoryBytes }: PoolBounds): boolean {
  const sizes = entries.map(({ driver }) => driver.capabilities.idleMemoryBytes);
  if (sizes.includes(0)) return false;
  return entries.length <= maxWarm && sizes.reduce((sum, bytes) => sum + bytes, 0) <= maxMemoryBytes;
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
