import type { Decision, Verdict } from '../contracts/policy.ts';

const severity: Readonly<Record<Verdict, number>> = { allow: 0, ask: 1, deny: 2 };

/**
 * Of the decisions of the policy pinned at a run's start and of the current one, the stricter: a right that was taken
 * away is gone for a parked run too, and one that was added since is not there yet. Of equals, the current one, whose
 * file a human can open and change.
 */
export function strictest(pinned: Decision, current: Decision): Decision {
  return severity[pinned.verdict] > severity[current.verdict] ? pinned : current;
}
