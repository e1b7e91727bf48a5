import type { RuleRef, Verdict } from '../contracts/policy.ts';
import type { RunState, RunTotals } from '../contracts/run.ts';

/** What a run tells while it works. Everything in it is already redacted; the record does not depend on it. */
export type RunEvent =
  | {
      readonly type: 'run.started';
      readonly run: string;
      readonly session: string;
      readonly agent: string;
      readonly model: string;
      readonly isScripted: boolean;
      readonly isResumed: boolean;
    }
  | { readonly type: 'notice'; readonly message: string }
  | { readonly type: 'turn'; readonly turn: number }
  | { readonly type: 'text'; readonly delta: string }
  | { readonly type: 'text.discarded'; readonly reason: string }
  | { readonly type: 'model.retry'; readonly attempt: number; readonly waitMs: number; readonly reason: string }
  | {
      readonly type: 'tool.decision';
      readonly call: string;
      readonly tool: string;
      readonly args: string;
      readonly verdict: Verdict;
      readonly rule: RuleRef;
      readonly reason: string;
      readonly remedy: string;
      /** What the agent's own layer says: for an allowed call, the grant that a human gave it. */
      readonly grant?: RuleRef;
    }
  | { readonly type: 'approval.requested'; readonly call: string; readonly approval: string; readonly expiresMs: number }
  | {
      readonly type: 'tool.result';
      readonly call: string;
      readonly tool: string;
      readonly isError: boolean;
      readonly code?: string;
      readonly summary: string;
      readonly durationMs: number;
    }
  | {
      readonly type: 'run.ended';
      readonly run: string;
      readonly session: string;
      readonly state: RunState;
      readonly reason: string;
      readonly output: string;
      readonly totals: RunTotals;
    };
