import type { User } from '../workspace/open-workspace.ts';
import type { Blank } from './blank.ts';

export interface BlankStockOptions {
  readonly make: (user: User) => Promise<Blank>;
  /** How long after a start one is made: not while whoever got the sandbox starts a command in it. Default 100 ms. */
  readonly refillAfterMs?: number;
  /** One that nobody took for so long is removed, and none is made until the next start. Default a minute. */
  readonly maxIdleMs?: number;
}

/**
 * At most one blank made ahead, for a process that starts one sandbox after the other.
 *
 * Contract:
 * - none is made after the first start: a process that needs one sandbox pays for one;
 * - a blank is handed out once, and only for the very user that it was made for;
 * - one whose process has ended is removed and not handed out;
 * - after `close`, none is left.
 */
export interface BlankStock {
  take(user: User): Blank | undefined;
  /** To be called after each start. */
  refillLater(user: User): void;
  close(): Promise<void>;
}

const defaultRefillMs = 100;
const defaultIdleMs = 60_000;

export function newBlankStock(options: BlankStockOptions): BlankStock {
  return new Stock(options);
}

class Stock implements BlankStock {
  readonly #options: BlankStockOptions;
  readonly #working = new Set<Promise<void>>();
  #kept: { readonly blank: Blank; readonly timer: NodeJS.Timeout } | undefined;
  #refill: NodeJS.Timeout | undefined;
  #hasStarted = false;
  #isClosed = false;

  constructor(options: BlankStockOptions) {
    this.#options = options;
  }

  take(user: User): Blank | undefined {
    const blank = this.#kept?.blank;
    if (blank?.user.uid === user.uid && blank.user.gid === user.gid && !blank.bwrap.hasEnded) return this.#letGo();
    this.#drop();
    return undefined;
  }

  refillLater(user: User): void {
    const isFirst = !this.#hasStarted;
    this.#hasStarted = true;
    if (isFirst || this.#isClosed || this.#kept !== undefined || this.#refill !== undefined) return;
    this.#refill = setTimeout(() => {
      this.#refill = undefined;
      if (this.#kept === undefined) this.#inBackground(this.#fill(user));
    }, this.#options.refillAfterMs ?? defaultRefillMs).unref();
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#refill);
    this.#drop();
    while (this.#working.size > 0) await Promise.all(this.#working);
  }

  async #fill(user: User): Promise<void> {
    const blank = await this.#options.make(user);
    if (this.#isClosed || this.#kept !== undefined) return await blank.remove();
    const timer = setTimeout(() => this.#drop(), this.#options.maxIdleMs ?? defaultIdleMs).unref();
    this.#kept = { blank, timer };
  }

  #letGo(): Blank | undefined {
    clearTimeout(this.#kept?.timer);
    const blank = this.#kept?.blank;
    this.#kept = undefined;
    return blank;
  }

  #drop(): void {
    const blank = this.#letGo();
    if (blank !== undefined) this.#inBackground(blank.remove());
  }

  #inBackground(work: Promise<void>): void {
    const settled = work
      .catch(() => {}) // silent-ok: the next start makes its own and has the reason
      .finally(() => this.#working.delete(settled));
    this.#working.add(settled);
  }
}
