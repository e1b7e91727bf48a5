import { execFile } from 'node:child_process';
import { chmodSync, mkdirSync, renameSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { type FifoPaths, fifoNames, fifosIn } from './fifos.ts';

/** Sets of FIFOs made ahead: Node cannot make one, and a process for each start would cost as much as the sandbox. */
export interface FifoStock {
  /** A set as the new folder `io` of the given one. */
  take(folder: string): Promise<FifoPaths>;
  /** Takes away those that nobody took. */
  close(): Promise<void>;
}

const setsAtOnce = 8;
const refillBelow = 4;
/** Not while whoever took one starts a sandbox with it: making some starts a process, which takes as long. */
const refillAfterMs = 100;

function later(refill: () => Promise<void>): void {
  // silent-ok: the next take tries again and has the reason
  setTimeout(() => void refill().catch(() => {}), refillAfterMs).unref();
}

/** `folder` lies on the same file system as those that sets are taken to. */
export function newFifoStock(folder: string): FifoStock {
  const ready: string[] = [];
  let made = 0;
  let filling: Promise<void> | undefined;

  async function fill(): Promise<void> {
    if (ready.length >= refillBelow) return;
    const sets = Array.from({ length: setsAtOnce }, () => path.join(folder, `set-${(made += 1)}`));
    for (const set of sets) {
      mkdirSync(set);
      chmodSync(set, 0o711);
    }
    await promisify(execFile)('mkfifo', ['-m', '600', ...sets.flatMap((set) => fifoNames.map((name) => path.join(set, name)))]);
    ready.push(...sets);
  }

  function refill(): Promise<void> {
    filling ??= fill().finally(() => {
      filling = undefined;
    });
    return filling;
  }

  return {
    async take(target) {
      while (ready.length === 0) await refill();
      const set = ready.pop() ?? '';
      const io = path.join(target, 'io');
      renameSync(set, io);
      if (ready.length < refillBelow) later(refill);
      return fifosIn(io);
    },
    async close() {
      await filling?.catch(() => {}); // silent-ok: what it made is taken away all the same
      ready.length = 0;
      await rm(folder, { recursive: true, force: true });
    },
  };
}
