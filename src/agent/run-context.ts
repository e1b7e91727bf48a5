import type { Clock } from '../contracts/clock.ts';
import type { SandboxFacts } from '../contracts/isolation.ts';
import type { Journal, JournalEntry } from '../contracts/journal.ts';
import type { JsonObject, Sha256 } from '../contracts/json.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import type { ModelClient, ToolSpec } from '../contracts/model.ts';
import type { Resource } from '../contracts/policy.ts';
import type { RunItem, RunLimits } from '../contracts/run.ts';
import type { ToolDeclaration, ToolSet } from '../contracts/tool.ts';
import type { PolicySnapshot } from '../governance/policy-snapshot.ts';
import type { Redactor } from '../governance/redact.ts';
import type { ApprovalDesk } from './approval-desk.ts';
import type { DecidedCall } from './loop/decide-turn.ts';
import type { Prompt } from './prompt.ts';
import type { RunOutcome } from './run-agent.ts';
import type { RunEvent } from './run-events.ts';

/** What is fixed when a run is accepted: a resume and a replay work from the same values. */
export interface AgentRun {
  readonly item: RunItem;
  readonly prompt: Prompt;
  /** Trusted words beside the user's: the agent's human-written files. */
  readonly trustedFiles: ReadonlyMap<string, string>;
  /** What the agent itself or others wrote: plan, handoff, memory. */
  readonly untrustedFiles: ReadonlyMap<string, string>;
  /** Earlier messages of the session, oldest first. */
  readonly history: readonly { readonly role: 'user' | 'assistant'; readonly text: string; readonly run: string }[];
  /** The tools that the model is told of: the granted ones. */
  readonly offered: readonly ToolSpec[];
  readonly limits: RunLimits;
  readonly model: string;
  readonly contextTokens: number;
  readonly maxOutputTokens: number;
  readonly pinnedPolicy: PolicySnapshot;
  /** Where commands run, or why they do not; absent: none were granted. */
  readonly sandbox?: SandboxFacts;
}

/** One turn's decisions as the loop made them now. */
export interface DecidedTurn {
  readonly turn: number;
  readonly calls: readonly DecidedCall[];
}

/** What a call had announced in the ledger before it happened. */
export interface RecordedIntent {
  readonly target?: string;
  readonly before?: Sha256;
  readonly after?: Sha256;
}

/** The part of the world that one run needs. */
export interface RunAgentContext {
  readonly journal: Journal;
  readonly ledger: LedgerWriter;
  readonly model: ModelClient;
  readonly tools: ToolSet;
  readonly resourcesOf: (tool: ToolDeclaration, args: JsonObject) => readonly Resource[];
  /** Hash of a planned target's bytes now; undefined when it does not exist. */
  readonly targetHash: (target: string) => Promise<Sha256 | undefined>;
  /** The policy as it is now on the disk: read again for each resumed decision. */
  readonly currentPolicy: () => Promise<PolicySnapshot>;
  readonly approvals: ApprovalDesk;
  readonly redactor: Redactor;
  readonly clock: Clock;
  /** Keeps what a call is about to replace, durably; returns the copy's name within the run's folder. */
  readonly saveUndo: (callId: string, bytes: Uint8Array) => Promise<string>;
  /** Of a resumed run: the intents that the ledger holds for it. */
  readonly intents: ReadonlyMap<string, RecordedIntent>;
  readonly emit: (event: RunEvent) => void;
  /** What the journal holds of the end, durable together with the last records. Absent: nothing. */
  readonly endEntry?: (outcome: RunOutcome) => JournalEntry;
  /** Called when an effect is announced and right before it happens. @throws when this process may not work on the run any more. */
  readonly checkHold: () => void;
  /** For a replay: what the loop would send and decides, turn by turn. With it, a difference is told and not thrown. */
  readonly observe?: { asked(turn: number, request: Sha256): void; decided(turn: DecidedTurn): void };
}
