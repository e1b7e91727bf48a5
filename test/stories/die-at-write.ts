import fs from 'node:fs';

/** What a process does with the n-th change of the disk that it makes, instead of going on. */
export interface DeathPlan {
  /** 1-based. Undefined: it lives, and only counts. */
  readonly at?: number | undefined;
  /** `before`: nothing of it is on the disk. `torn`: half of the bytes are. */
  readonly how: 'before' | 'torn';
}

/**
 * Makes this process kill itself with SIGKILL at the n-th write or rename. Every record and every effect of the program
 * goes through these calls, so that n = 1, 2, 3 … stops it at every boundary there is, with the real code on both sides.
 */
export function dieAtWrite(plan: DeathPlan): { readonly count: () => number } {
  let count = 0;
  const write = fs.writeSync;
  const step = (tear?: () => void): void => {
    count += 1;
    if (count !== plan.at) return;
    if (plan.how === 'torn') tear?.();
    process.kill(process.pid, 'SIGKILL');
  };
  const { writeSync, writeFileSync, renameSync } = fs;
  fs.writeSync = ((fd: number, bytes: Uint8Array, ...rest: []) => {
    if (fd > 2) step(() => write(fd, bytes.subarray(0, bytes.length / 2)));
    return writeSync(fd, bytes, ...rest);
  }) as typeof fs.writeSync;
  fs.writeFileSync = ((file: number, bytes: string | Uint8Array, ...rest: []) => {
    const all = Buffer.from(bytes);
    step(() => typeof file === 'number' && write(file, all.subarray(0, all.length / 2)));
    writeFileSync(file, bytes, ...rest);
  }) as typeof fs.writeFileSync;
  fs.renameSync = (from, to) => {
    step();
    renameSync(from, to);
  };
  return { count: () => count };
}
