import type { LlmConfig } from '../contracts/config.ts';
import type { ModelAnswer, ModelRequest, Usage } from '../contracts/model.ts';

/** US dollars for a million tokens. */
export interface Price {
  readonly inputPer1M: number;
  readonly outputPer1M: number;
}

/** By `provider/name`. `llm.yaml` adds and overrides. */
export const priceTable: Readonly<Record<string, Price>> = {
  'openai/gpt-4o-mini': { inputPer1M: 1.5, outputPer1M: 6 },
  'openai/gpt-4o': { inputPer1M: 2.5, outputPer1M: 10 },
  'mistral/codestral-2501': { inputPer1M: 0.3, outputPer1M: 0.9 },
  'mistral/labs-devstral-small-2512': { inputPer1M: 0.1, outputPer1M: 0.3 },
};

const free: Price = { inputPer1M: 0, outputPer1M: 0 };

/** A price in llm.yaml (both directions) comes first; a model on this machine is free; an unknown one has no price. */
export function priceOf(model: string, llm: LlmConfig | undefined, isLocal: boolean): Price | undefined {
  const own = llm?.models?.[model];
  if (own?.inputPer1M !== undefined && own.outputPer1M !== undefined) return { inputPer1M: own.inputPer1M, outputPer1M: own.outputPer1M };
  if (isLocal) return free;
  return Object.hasOwn(priceTable, model) ? priceTable[model] : undefined;
}

/**
 * Dollars for a million tokens are millionths of a dollar for one. Rounded up to a whole one, and cached tokens count
 * in full, so that a budget is never told less than was spent.
 */
export function costMicroUsd(usage: Usage, price: Price): number {
  const exact = usage.inputTokens * price.inputPer1M + usage.outputTokens * price.outputPer1M;
  return Math.ceil(Number(exact.toFixed(6)));
}

/** For a provider that does not say: a token for four letters, prompt with its tools and answer. */
export function estimateUsage(request: ModelRequest, answer: ModelAnswer): Usage {
  return {
    inputTokens: tokensOf(JSON.stringify([request.system, request.messages, request.tools])),
    outputTokens: tokensOf(answer.text + answer.toolCalls.map((call) => call.name + call.argumentsText).join('')),
  };
}

function tokensOf(text: string): number {
  return Math.ceil(text.length / 4);
}
