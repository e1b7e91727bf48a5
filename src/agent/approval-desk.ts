import type { Approval } from '../contracts/approval.ts';
import type { ApprovalId } from '../contracts/ids.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { Decision, PolicyRequest } from '../contracts/policy.ts';
import type { ApprovalSurface } from '../contracts/run.ts';

/** A question as the run asks it; the desk adds ids and times. */
export interface Question {
  readonly callId: string;
  readonly request: PolicyRequest;
  readonly requestHash: Sha256;
  readonly targetHash?: Sha256;
  readonly preview?: string;
  readonly decision: Decision;
}

/**
 * Where a run's questions to a human go.
 *
 * Contract: `open` is durable when it resolves; an answer is given once; `ask` exists only on the surface `terminal`
 * and resolves when a person answered there or when somebody answered the row elsewhere.
 */
export interface ApprovalDesk {
  readonly surface: ApprovalSurface;
  open(question: Question): Promise<Approval>;
  get(id: ApprovalId): Promise<Approval | undefined>;
  ask?(approval: Approval, signal: AbortSignal): Promise<Approval>;
}
