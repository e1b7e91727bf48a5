import fs from 'node:fs';
import path from 'node:path';
import type { Log } from '../../contracts/log.ts';

export interface EndOrphansOptions {
  /** Child processes of the server before, as it wrote them down. */
  readonly pids: readonly number[];
  readonly log: Log;
  /** How long they may take to end by themselves. Default 15 s. */
  readonly afterMs?: number;
}

/**
 * Children end by themselves when their server dies, however it dies; one that hung at that moment cannot. It holds no run
 * any more, only memory: the next server ends it.
 */
export function endOrphans({ pids, log, afterMs = 15_000 }: EndOrphansOptions): Disposable {
  const orphans = pids.filter(isOrphan).map((pid) => ({ pid, began: beganAt(pid) }));
  const timer = setTimeout(() => {
    for (const { pid, began } of orphans) {
      if (!isOrphan(pid) || beganAt(pid) !== began) continue;
      log.error('an executor process of the server before did not end with it and is killed', { executor_pid: pid });
      process.kill(pid, 'SIGKILL');
    }
  }, afterMs).unref();
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** An executor by its command line, and no child of a server: a pid may be somebody else's by now. */
function isOrphan(pid: number): boolean {
  const isExecutor = argumentsOf(pid).join(' ').includes('serve --role executor');
  return isExecutor && !argumentsOf(parentOf(pid)).includes('serve');
}

function parentOf(pid: number): number {
  return Number(/^PPid:\s+(\d+)$/m.exec(readOf(pid, 'status'))?.[1] ?? 0);
}

/** Ticks since the machine began: with the pid it names one process for ever. */
function beganAt(pid: number): string | undefined {
  // The name before it is in parentheses and may hold anything.
  return readOf(pid, 'stat').split(') ').at(-1)?.split(' ')[19];
}

function argumentsOf(pid: number): readonly string[] {
  return readOf(pid, 'cmdline').split('\0');
}

function readOf(pid: number, name: string): string {
  try {
    return fs.readFileSync(path.join('/proc', String(pid), name), 'utf8');
  } catch {
    // silent-ok: it has ended, or this system has no /proc: then nobody is taken for an orphan.
    return '';
  }
}
