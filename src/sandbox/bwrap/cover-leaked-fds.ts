import { closeSync, openSync, readdirSync, readFileSync } from 'node:fs';
import type { StdioOptions } from 'node:child_process';

type Stdio = Extract<StdioOptions, unknown[]>;

const closeOnExec = 0o2000000;

/**
 * Descriptors of this process that a child gets because they are not marked close-on-exec: those that Node opens are
 * marked, those that this process itself was started with need not be. To be asked once, since no more can appear.
 */
export function findLeakedFds(): readonly number[] {
  return readdirSync('/proc/self/fd')
    .map(Number)
    .filter((fd) => fd >= 3 && isInherited(fd));
}

/** bwrap passes on whatever it gets, so each leaked descriptor is covered by /dev/null. Call `done` after the spawn. */
export function coverLeakedFds(stdio: Stdio, leaked: readonly number[]): { readonly stdio: Stdio; done(): void } {
  if (leaked.length === 0) return { stdio, done: () => {} };
  const nothing = openSync('/dev/null', 'r');
  const covered: Stdio = [...stdio];
  for (const fd of leaked) {
    if (fd < stdio.length) continue;
    while (covered.length < fd) covered.push('ignore');
    covered[fd] = nothing;
  }
  return { stdio: covered, done: () => closeSync(nothing) };
}

function isInherited(fd: number): boolean {
  try {
    const flags = /^flags:\s+([0-7]+)/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1] ?? '0';
    return (Number.parseInt(flags, 8) & closeOnExec) === 0;
  } catch {
    return false; // silent-ok: the descriptor of the listing itself is closed again
  }
}
