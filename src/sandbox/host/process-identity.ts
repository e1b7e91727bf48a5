import { readdirSync, readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';

/** A process that cannot be confused with a later one of the same number. */
export interface ProcessIdentity {
  readonly pid: number;
  /** Clock ticks since boot at its start. */
  readonly startTicks: string;
  readonly bootId: string;
}

export function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** Undefined when there is no such process, or it is dead and only waits for its parent to notice. */
export function identifyProcess(pid: number): ProcessIdentity | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (fields[0] === 'Z' || fields[0] === 'X') return undefined;
    return { pid, startTicks: fields[19] ?? '', bootId: bootId() };
  } catch {
    return undefined; // silent-ok: it ended
  }
}

export function identifyParent(pid: number): ProcessIdentity | undefined {
  const parent = parentOf(pid);
  return parent > 1 ? identifyProcess(parent) : undefined;
}

/** The one process that this one has started; -1 when there is none or more than one. */
export function findOnlyChild(pid: number): number {
  const children = childrenOf(pid);
  return children.length === 1 ? (children[0] ?? -1) : -1;
}

function childrenOf(pid: number): number[] {
  try {
    return numbersIn(readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' '));
  } catch {
    // silent-ok: not every kernel has that list; one without the process has no children of it either
    return numbersIn(readdirSync('/proc')).filter((other) => parentOf(other) === pid);
  }
}

function numbersIn(words: readonly string[]): number[] {
  return words.filter((word) => /^\d+$/.test(word)).map(Number);
}

function parentOf(pid: number): number {
  try {
    return Number(/^PPid:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1] ?? -1);
  } catch {
    return -1; // silent-ok: it ended
  }
}

/** Returns at the latest after the given time. */
export async function waitForEnd(identity: ProcessIdentity, atMostMs: number): Promise<void> {
  const deadline = performance.now() + atMostMs;
  while (isAlive(identity) && performance.now() < deadline) await sleep(10);
}

export function isAlive(identity: ProcessIdentity): boolean {
  const now = identifyProcess(identity.pid);
  return now !== undefined && now.startTicks === identity.startTicks && now.bootId === identity.bootId;
}

/** SIGKILL, if it is still the same process. */
export function killProcess(identity: ProcessIdentity): void {
  if (!isAlive(identity)) return;
  try {
    process.kill(identity.pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error; // silent-ok: it ended meanwhile
  }
}
