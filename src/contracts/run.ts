import * as z from 'zod/mini';
import type { AgentId, RunId, SessionId, TenantId } from './ids.ts';

/**
 * The life of a run:
 *
 * `accepted → running → done | failed | denied | limited | cancelled | waiting`, and `waiting → running` when its
 * approval is answered. `interrupted` is not stored: a run that says `running` and whose process is gone is shown so.
 *
 * - done: the model finished; failed: an error ended it; limited: one of its limits was reached; cancelled: a human
 *   stopped it (resumable); waiting: an approval is open and no process holds it (resumable); denied: not used by the
 *   loop itself, kept for doors that refuse a run as a whole.
 */
export const runStates = ['accepted', 'running', 'waiting', 'done', 'failed', 'denied', 'limited', 'cancelled'] as const;
export type RunState = (typeof runStates)[number];
export const terminalStates: ReadonlySet<RunState> = new Set(['done', 'failed', 'denied', 'limited', 'cancelled']);
/** States from which `runs resume` continues; `running` only when its process is gone. */
export const resumableStates: ReadonlySet<RunState> = new Set(['accepted', 'running', 'waiting', 'cancelled', 'failed', 'limited']);

const code = 'worker.task-dead';

/** Why a run failed whose task was tried as often as it may be. */
export function givenUpReason(tries: number, why: string): string {
  return `it was given up after ${tries} tries: ${why} (${code})`;
}

/** The task of such a run is dead: nobody gets it, unless a human put it on the queue again. */
export function isGivenUp({ state, reason }: { readonly state: RunState; readonly reason: string }): boolean {
  return state === 'failed' && reason.endsWith(`(${code})`);
}

export const runLimits = z.strictObject({
  /** Model calls. */
  turns: z.number().check(z.int(), z.positive()),
  /** Wall time of one process's work on the run. */
  seconds: z.number().check(z.positive()),
  toolCalls: z.number().check(z.int(), z.nonnegative()),
  /** Input plus output, summed over all turns. */
  tokens: z.number().check(z.int(), z.positive()),
  usd: z.number().check(z.nonnegative()),
});
export type RunLimits = z.infer<typeof runLimits>;

/** Where questions to a human go. `terminal`: asked there; `wait`: the run parks; `deny`: nobody can answer. */
export type ApprovalSurface = 'terminal' | 'wait' | 'deny';

/** A text from outside, and where from: `webhook:<name>`, `run:<id>`, `chat:<role>`. */
export interface UntrustedPart {
  readonly source: string;
  readonly text: string;
}

/** What every door hands to the worker. */
export interface RunItem {
  readonly kind: 'agent';
  readonly runId: RunId;
  readonly sessionId: SessionId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  /** Which door it came through, for the record only: no decision depends on it. */
  readonly door: 'cli' | 'http' | 'cron' | 'chat' | 'loop' | 'swarm';
  readonly principal: { readonly kind: 'user' | 'service' | 'executor'; readonly id: string };
  readonly input: string;
  /** What came along from outside: data with its source, fenced in the prompt, never a word of the user. */
  readonly untrusted?: readonly UntrustedPart[];
  /** `provider/name`; absent: the agent's, then the config's. */
  readonly model?: string;
  /** Absolute, or from the tenant's root on; absent: the agent's own. */
  readonly workspace?: string;
  /** The registered project that it works for, and the lane: its workspace is the project's repo. */
  readonly project?: string;
  readonly lane?: string;
  readonly limits?: Partial<RunLimits>;
}

/** How far a run got: the same in `run.json`, the journal's end and `--json` output. */
export interface RunTotals {
  readonly turns: number;
  readonly toolCalls: number;
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** Undefined when a call had no price. */
  readonly costMicroUsd?: number;
}
