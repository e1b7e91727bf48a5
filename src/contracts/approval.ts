import type { AgentId, ApprovalId, RunId, TenantId } from './ids.ts';
import type { Sha256 } from './json.ts';
import type { Decision, PolicyRequest } from './policy.ts';

export type ApprovalState = 'open' | 'approved' | 'denied' | 'expired';

/** A question to a human, bound to the exact request: a row, not a process. */
export interface Approval {
  readonly id: ApprovalId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly run: RunId;
  readonly callId: string;
  readonly request: PolicyRequest;
  readonly requestHash: Sha256;
  /** For a call with a plan: hash of the target before (or of its absence) and after. */
  readonly targetHash?: Sha256;
  /** What a human sees of a change: a unified diff, already redacted. */
  readonly preview?: string;
  readonly decision: Decision;
  readonly createdMs: number;
  readonly expiresMs: number;
  readonly state: ApprovalState;
  readonly answeredMs?: number;
  readonly answeredBy?: string;
}
