import assert from 'node:assert/strict';
import type { Decision, Verdict } from '../contracts/policy.ts';

const severity: Readonly<Record<Verdict, number>> = { allow: 0, ask: 1, deny: 2 };

/**
 * Of the decisions of several policies on one request, the strictest. A run hands in the answers of the policy pinned at
 * its start and of the current one: a right that was taken away is gone for a parked run too, and one that was added
 * since is not there yet. Of equals the last, so that a human is sent to the current file.
 */
export function strictestDecision(decisions: readonly Decision[]): Decision {
  const [first, ...rest] = decisions;
  assert(first !== undefined, 'at least one policy decides');
  return rest.reduce((strictest, next) => (severity[next.verdict] >= severity[strictest.verdict] ? next : strictest), first);
}
