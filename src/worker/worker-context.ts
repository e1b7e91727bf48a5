import type { ApprovalDesk } from '../agent/approval-desk.ts';
import type { RunEvent } from '../agent/run-events.ts';
import type { RunAgentContext } from '../agent/run-context.ts';
import type { Clock } from '../contracts/clock.ts';
import type { RunId, TaskId, TenantId } from '../contracts/ids.ts';
import type { BoundaryClass, SandboxFacts } from '../contracts/isolation.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { Memo } from '../contracts/memo.ts';
import type { ModelClient } from '../contracts/model.ts';
import type { PolicySource } from '../contracts/policy.ts';
import type { RunItem, RunLimits } from '../contracts/run.ts';
import type { Ledger } from '../governance/ledger.ts';
import type { Redactor } from '../governance/redact.ts';
import type { SharedSync } from '../state/durable-dir.ts';
import type { Home } from '../state/home.ts';
import type { Objects } from '../state/objects.ts';
import type { MoneyOutcome, MoneyWish } from '../state/money-holds.ts';
import type { Readings } from '../state/readings.ts';
import type { Runs } from '../state/runs.ts';
import type { AgentRoots } from './agent-of-record.ts';

/** An agent's tools, open on its roots. */
export interface OpenTools extends Pick<RunAgentContext, 'tools' | 'resourcesOf' | 'targetHash'>, AsyncDisposable {
  /** A planned target as text; undefined when it does not exist. */
  readTarget(target: string): Promise<string | undefined>;
  /** Takes back one change, if the target still holds `expect`; else the reason why not. */
  restoreTarget(
    target: string,
    restore: { readonly beforeBytes: Uint8Array | undefined; readonly expect: Sha256 },
  ): Promise<string | undefined>;
}

/** What can be known of a call without making it. */
export type ToolFacts = Pick<OpenTools, 'tools' | 'resourcesOf'>;

/** The sandbox of one run: nothing is started before the first command, and nothing of it is left afterwards. */
export interface RunSandbox extends AsyncDisposable {
  /** What can be had here now. That there is none is an answer, not a failure. */
  choose(minimum: BoundaryClass): Promise<{ readonly facts: SandboxFacts; readonly notices: readonly string[] }>;
  /** The weakest class that policy allows, for everything else that runs in a sandbox. */
  demand(minimum: BoundaryClass): void;
  /** For a resumed run: what its record names, and no other. */
  adopt(facts: SandboxFacts | undefined, hadCommands: boolean): void;
}

/** How the record calls a run. */
export interface RunNames {
  readonly run: string;
  readonly session: string;
  readonly agent: string;
  /** What servers of the run remembered is gone. */
  readonly isResumed?: boolean;
  /** Of whoever works on it: without it held, the run gets no credential. Absent: it is the process's own. */
  readonly lease?: Pick<RunLease, 'task' | 'fence' | 'check'> | undefined;
}

/** The right to work on a run for a while: the lease of its task. */
export interface RunLease {
  readonly task: TaskId;
  /** Of this delivery of the task. */
  readonly fence: number;
  /** Aborts when the lease is lost. */
  readonly signal: AbortSignal;
  /** Looks at the clock only. @throws LeaseLostError when the lease is lost or may be. */
  check(): void;
}

/** The part of an installation that a worker needs; the wiring fills it. */
export interface WorkerContext {
  readonly home: Home;
  readonly clock: Clock;
  /** Version and commit of this program, for the record. */
  readonly build: string;
  /** Ceilings: an agent or a flag can only lower them. */
  readonly limits: RunLimits;
  readonly defaultModel: string | undefined;
  /** What was made of texts that were read before: of the same text it is not made again. */
  readonly memo: Memo;
  /** What was read of files that are still the same. */
  readonly readings: Readings;
  /** When the run was asked for, if that was a moment ago and here: what was looked at since then is not looked at again. */
  readonly sinceMs?: number;
  /** Of a process with many runs at once: their folders' names are synced together. */
  readonly syncShared?: SharedSync;
  readonly runs: Runs;
  readonly objects: (tenant: TenantId) => Objects;
  readonly ledger: (tenant: TenantId) => Promise<Ledger>;
  readonly redactor: Redactor;
  readonly openModel: (ref: string | undefined) => Promise<ModelClient>;
  /** What leads out of a run: the sandbox of its commands, and its way to granted hosts. Nothing is opened yet. */
  readonly openSandbox: (agent: AgentRoots, run: RunNames) => Promise<RunSandbox>;
  /** With a sandbox of `openSandbox`, its tools can run commands in it. */
  readonly openTools: (agent: AgentRoots, sandbox?: RunSandbox) => Promise<OpenTools>;
  /** The same tools with nothing behind them, for a record that is walked again. */
  readonly describeTools: (agent: AgentRoots) => Promise<ToolFacts>;
  /** Platform and tenant policy as they are on the disk now, or were after `sinceMs`. */
  readonly policyFiles: (tenant: TenantId, sinceMs?: number) => Promise<readonly PolicySource[]>;
  readonly approvalDesk: (item: RunItem) => ApprovalDesk;
  readonly emit: (event: RunEvent) => void;
  /** The tenant's day of money, shared with every run at work. Absent: only a run's own limits bound it. */
  readonly money?: {
    take(wish: Omit<MoneyWish, 'limitMicroUsd'>): MoneyOutcome;
    release(run: RunId): void;
  };
  /** By which the run is worked on. Absent: a command of a human works on it, and nobody takes it away. */
  readonly lease?: RunLease;
}

/** What a door gets back for one item. */
export interface ItemOutcome {
  readonly run: RunId;
  readonly session: string;
  readonly state: string;
  readonly code?: string;
  readonly reason: string;
  /** For whoever runs the installation, and nobody else: see RunOutcome. */
  readonly detail?: string;
  readonly output: string;
  readonly waiting: readonly string[];
}
