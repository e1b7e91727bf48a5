import { monotonicMs } from '../contracts/clock.ts';

/** A folder that was opened as a root, as it was found then. */
export interface KnownRoot {
  /** Without any link in it. */
  readonly real: string;
  readonly dev: number;
  readonly ino: number;
}

/** A folder that no root may reach: where it really is, and what stands there, if anything does. */
export interface KnownProtected {
  readonly real: string;
  readonly id: string | undefined;
}

/**
 * What a process that opens the same roots for run after run has found out about them.
 *
 * A root is opened each time, and only what it is compared with is kept: descriptor, device, inode and real path must be
 * those of the folder that passed all checks. The folders that no root may reach belong to the owner of the machine and
 * not to agents: where they are is asked again when it was asked more than a second ago.
 */
export interface RootMemory {
  knownRoot(dir: string): KnownRoot | undefined;
  keepRoot(dir: string, root: KnownRoot): void;
  protectedDir(dir: string, find: (dir: string) => KnownProtected): KnownProtected;
}

const trustMs = 1000;
const maxRoots = 1024;

export function openRootMemory(nowMs: () => number = monotonicMs): RootMemory {
  const roots = new Map<string, KnownRoot>();
  const found = new Map<string, KnownProtected & { readonly atMs: number }>();
  return {
    knownRoot: (dir) => roots.get(dir),
    keepRoot: (dir, root) => {
      if (roots.size >= maxRoots) roots.clear();
      roots.set(dir, root);
    },
    protectedDir: (dir, find) => {
      const known = found.get(dir);
      if (known !== undefined && nowMs() - known.atMs < trustMs) return known;
      const atMs = nowMs();
      const now = { ...find(dir), atMs };
      found.set(dir, now);
      return now;
    },
  };
}
