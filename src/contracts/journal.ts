import type { JsonValue, Sha256 } from './json.ts';
import type { ModelAnswer } from './model.ts';
import type { Decision, PolicyRequest } from './policy.ts';
import type { SandboxFacts } from './isolation.ts';
import type { RunItem, RunLimits, RunState, RunTotals } from './run.ts';
import type { ToolResult } from './tool.ts';

/** Everything that a run depends on, frozen when it is accepted: names to hashes of content-addressed copies. */
export interface PinnedInputs {
  /** Bootstrap files in prompt order, `agent.yaml` first. */
  readonly files: readonly { readonly name: string; readonly sha256: Sha256; readonly bytes: number }[];
  /** The tools' declarations, as one JSON document. */
  readonly tools: Sha256;
  /** The policy sources, as one JSON document; and the compiled policy's own hash. */
  readonly policy: Sha256;
  readonly policyHash: Sha256;
  /** Earlier messages of the session, as one JSON document. */
  readonly history: Sha256;
}

/** Which holder of the run wrote the entry: the run's fence at that time. Absent: 0, a run that was never leased. */
interface Held {
  readonly fence?: number;
}

/** The step-by-step record of one run, enough to resume and to replay it. One JSON document a line, in order. */
export type JournalEntry = Held &
  (
    | {
        readonly kind: 'accepted';
        readonly v: 1;
        readonly atMs: number;
        readonly build: string;
        readonly item: RunItem;
        readonly model: string;
        readonly isScripted: boolean;
        readonly contextTokens: number;
        readonly maxOutputTokens: number;
        readonly limits: RunLimits;
        readonly pinned: PinnedInputs;
        /** Of an agent that was granted commands: where they run, or why they cannot. */
        readonly sandbox?: SandboxFacts;
      }
    | {
        readonly kind: 'resumed';
        readonly atMs: number;
        readonly build: string;
        readonly from: RunState | 'interrupted';
        readonly approvals: string;
      }
    /** A value that the world gave: a clock reading, an id, a random number. */
    | { readonly kind: 'value'; readonly name: string; readonly value: JsonValue }
    | {
        readonly kind: 'prompt';
        readonly system: Sha256;
        readonly parts: readonly { readonly name: string; readonly sha256: Sha256; readonly cut: boolean }[];
      }
    | { readonly kind: 'compaction'; readonly turn: number; readonly elided: readonly string[]; readonly estimatedTokens: number }
    | { readonly kind: 'model.request'; readonly turn: number; readonly request: Sha256 }
    | {
        readonly kind: 'model.answer';
        readonly turn: number;
        readonly atMs: number;
        readonly durationMs: number;
        readonly attempts: number;
        readonly answer: ModelAnswer;
        readonly costMicroUsd?: number;
      }
    | {
        readonly kind: 'model.error';
        readonly turn: number;
        readonly atMs: number;
        readonly code: string;
        readonly message: string;
        readonly isTransient: boolean;
      }
    /** All decisions of one turn, made together with the labels at its start. */
    | {
        readonly kind: 'decisions';
        readonly turn: number;
        readonly calls: readonly {
          readonly callId: string;
          readonly request: PolicyRequest;
          readonly requestHash: Sha256;
          readonly decision: Decision;
        }[];
      }
    | {
        readonly kind: 'approval.requested';
        readonly callId: string;
        readonly approvalId: string;
        readonly requestHash: Sha256;
        readonly targetHash?: Sha256;
        readonly expiresMs: number;
      }
    | {
        readonly kind: 'approval.answered';
        readonly callId: string;
        readonly approvalId: string;
        readonly answer: 'approved' | 'denied' | 'expired';
        readonly by: string;
      }
    | {
        readonly kind: 'intent';
        readonly callId: string;
        readonly target?: string;
        readonly before?: Sha256;
        readonly after?: Sha256;
        readonly undo?: string;
      }
    | {
        readonly kind: 'result';
        readonly callId: string;
        readonly atMs: number;
        readonly durationMs: number;
        readonly result: ToolResult;
      }
    | {
        readonly kind: 'end';
        readonly atMs: number;
        readonly state: RunState;
        readonly reason: string;
        readonly output: string;
        readonly totals: RunTotals;
      }
  );

/**
 * Tells, entry by entry in the journal's order, what counts: what a holder wrote after another with a larger fence had
 * taken the run over is late, and nobody may act on it.
 */
export function newFenceFilter(): (entry: JournalEntry) => boolean {
  let current = 0;
  return ({ fence = 0 }) => {
    if (fence < current) return false;
    current = fence;
    return true;
  };
}

export interface Journal {
  /** What stands there already: empty for a new run. */
  readonly entries: readonly JournalEntry[];
  /** Resolves when the entry is on the disk. Entries stand in the order of the calls. */
  append(entry: JournalEntry): Promise<void>;
}
