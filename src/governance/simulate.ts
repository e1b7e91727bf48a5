import type { Decision, PolicyRequest, Verdict } from '../contracts/policy.ts';
import { decide } from './decide.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';

/** A call as it was decided once: from the journals of runs, which hold the requests that the ledger has hashes of. */
export interface RecordedDecision {
  readonly run: string;
  readonly callId: string;
  readonly request: PolicyRequest;
  readonly decision: Decision;
}

export interface ChangedDecision extends RecordedDecision {
  readonly before: Verdict;
  readonly after: Verdict;
  /** What the proposed policy decides. */
  readonly proposed: Decision;
}

export interface Simulation {
  readonly calls: number;
  readonly changed: readonly ChangedDecision[];
}

/**
 * Decides recorded calls again under a proposed policy. The same requests, labels included, through the same `decide`:
 * what is listed is exactly what the runtime would have done otherwise.
 */
export async function simulatePolicy(recorded: AsyncIterable<RecordedDecision>, snapshot: PolicySnapshot): Promise<Simulation> {
  const changed: ChangedDecision[] = [];
  let calls = 0;
  for await (const call of recorded) {
    if (wasUnjudged(call.decision)) continue;
    calls += 1;
    const proposed = decide(call.request, snapshot);
    if (proposed.verdict === call.decision.verdict) continue;
    changed.push({ ...call, before: call.decision.verdict, after: proposed.verdict, proposed });
  }
  return { calls, changed };
}

/** No such tool, or arguments that are none: the call was refused before any policy, and would be under every other. */
function wasUnjudged({ rule }: Decision): boolean {
  return rule.layer === 'invariant' && rule.id.startsWith('tool.');
}
