import type { RunLimits } from '../../contracts/run.ts';

export interface Spent {
  turns: number;
  toolCalls: number;
  inputTokens: number;
  outputTokens: number;
  costMicroUsd: number;
  /** False once a call had no price: then the total is unknown. */
  isCostKnown: boolean;
}

export function nothingSpent(): Spent {
  return { turns: 0, toolCalls: 0, inputTokens: 0, outputTokens: 0, costMicroUsd: 0, isCostKnown: true };
}

/** The first limit that leaves no room for another model call, as a sentence; undefined while there is room. */
export function reachedLimit(spent: Spent, limits: RunLimits): string | undefined {
  if (spent.turns >= limits.turns) return `the limit of ${limits.turns} model turns is reached`;
  if (spent.inputTokens + spent.outputTokens >= limits.tokens)
    return `the limit of ${limits.tokens} tokens is reached (${spent.inputTokens + spent.outputTokens} used)`;
  if (spent.costMicroUsd >= limits.usd * 1e6 && spent.costMicroUsd > 0)
    return `the limit of ${limits.usd} USD is reached (${(spent.costMicroUsd / 1e6).toFixed(4)} spent)`;
  return undefined;
}

/** Whether this turn's calls still fit. */
export function reachedCallLimit(spent: Spent, calls: number, limits: RunLimits): string | undefined {
  if (spent.toolCalls + calls <= limits.toolCalls) return undefined;
  return `the limit of ${limits.toolCalls} tool calls is reached (${spent.toolCalls} made, ${calls} more asked for)`;
}
