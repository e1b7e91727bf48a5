import type { TenantId } from '../../contracts/ids.ts';
import type { Home } from '../../state/home.ts';
import type { Probe } from '../../sandbox/probe.ts';

/** `skip`: the question does not arise here. */
export type CheckStatus = 'ok' | 'warn' | 'fail' | 'skip';

export interface CheckResult {
  readonly status: CheckStatus;
  /** One sentence: what was found. */
  readonly message: string;
  /** What to do now; with warn and fail. */
  readonly remedy?: string;
}

export interface Check {
  readonly name: string;
  readonly run: (context: DoctorContext) => CheckResult | Promise<CheckResult>;
}

export interface AgentFinding {
  readonly tenant: string;
  readonly agent: string;
  /** Why it could not run; absent when it could. */
  readonly problem?: string;
  /** Whether it was granted commands, which need a sandbox. */
  readonly needsSandbox: boolean;
}

export interface DiskFacts {
  readonly freeBytes: number;
  readonly totalBytes: number;
  readonly freeFiles: number;
  readonly totalFiles: number;
}

/** The registry as one tenant has it. */
export interface ProjectFinding {
  readonly tenant: string;
  readonly problem?: string;
  readonly count?: number;
  /** Ids of projects whose repo is not a folder. */
  readonly missing?: readonly string[];
  /** Of those whose repo is reached through a link. */
  readonly linked?: readonly string[];
}

/** The world as checks see it; each takes the few fields that it needs. */
export interface DoctorContext {
  readonly home: Home;
  readonly nowMs: number;
  readonly nodeVersion: string;
  /** The effective user; undefined where there are none. */
  readonly uid: number | undefined;
  readonly keyFile: string;
  readonly secretsDir: string;
  readonly runtimeDir: string;
  /** Reads every agent of every tenant as a run would. */
  readonly agents: () => Promise<readonly AgentFinding[]>;
  readonly projects: () => Promise<readonly ProjectFinding[]>;
  /** Whether the resolver of secrets finds one; its value is not told. */
  readonly hasSecret: (tenant: TenantId, name: string) => Promise<boolean>;
  /** Opens the configured model without sending anything; a sentence when it cannot be opened. */
  readonly modelProblem: () => Promise<string | undefined>;
  readonly fileGuard: () => Promise<'race-free' | 'best-effort'>;
  readonly probes: () => Promise<readonly Probe[]>;
  /** Bytes and file entries of the disk that holds a folder. */
  readonly disk: (dir: string) => DiskFacts;
  /** `GET url`; rejects when nobody answers. */
  readonly get: (url: string) => Promise<{ readonly status: number; readonly text: string }>;
  /** `/proc` */
  readonly procDir: string;
  readonly unitFile: string;
}

export function ok(message: string): CheckResult {
  return { status: 'ok', message };
}

export function skip(message: string): CheckResult {
  return { status: 'skip', message };
}

export function warn(message: string, remedy: string): CheckResult {
  return { status: 'warn', message, remedy };
}

export function fail(message: string, remedy: string): CheckResult {
  return { status: 'fail', message, remedy };
}

/** The first of many, and how many more. */
export function firstOf(items: readonly string[]): string {
  const [first = '', ...others] = items;
  return others.length === 0 ? first : `${first} (and ${others.length} more)`;
}
