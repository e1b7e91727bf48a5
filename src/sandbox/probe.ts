import { type IsolationClass, isolationClasses, reachesClass } from '../contracts/isolation.ts';
import type { LimitName } from './sandbox.ts';

export { type IsolationClass, isolationClasses, reachesClass };

/** What a driver can do by its nature, wherever it works. */
export interface SandboxCapabilities {
  readonly isolation: IsolationClass;
  readonly snapshot: boolean;
  readonly restore: boolean;
  /** Can reach the broker's socket folder and nothing else. */
  readonly egressSocket: boolean;
  /** Commands start in a running sandbox without a new process on the host. */
  readonly persistentExec: boolean;
  /** Has a root file system of its own, from an image. */
  readonly image: boolean;
  /** Memory that an idle sandbox costs the host; what a pool counts. */
  readonly idleMemoryBytes: number;
}

/** By what a limit is held, and how exactly. */
export interface Enforcement {
  readonly by: 'cgroup-v1' | 'cgroup-v2' | 'rlimit' | 'watch' | 'channel' | 'timer';
  /** One sentence where it is less than one would think. */
  readonly note?: string;
}

export type Enforcements = Readonly<Partial<Record<LimitName, Enforcement>>>;

/** Whether a driver works on this machine, found out by trying. */
export type Probe =
  | {
      readonly works: true;
      readonly driver: string;
      readonly isolation: IsolationClass;
      readonly version: string;
      /** A limit that is missing here is refused by `start`. */
      readonly limits: Enforcements;
      readonly features: readonly string[];
      /** What a human should know: weaker than it could be, and why. */
      readonly notes: readonly string[];
    }
  | {
      readonly works: false;
      readonly driver: string;
      readonly isolation: IsolationClass;
      readonly reason: string;
      /** What a human could do. */
      readonly remedy: string;
    };
