import type { RunTotals } from '../contracts/run.ts';

/** `2 turns, 1 tool call, 592 tokens in, 60 out, 0.0012 USD` */
export function describeTotals({ turns, toolCalls, inputTokens, outputTokens, costMicroUsd }: RunTotals): string {
  const cost = costMicroUsd === undefined ? 'cost unknown' : costMicroUsd === 0 ? 'free' : `${(costMicroUsd / 1e6).toFixed(4)} USD`;
  return `${count(turns, 'turn')}, ${count(toolCalls, 'tool call')}, ${inputTokens} tokens in, ${outputTokens} out, ${cost}`;
}

/** A number with its word: `1 turn`, `2 turns`, `no turns`. */
export function count(number: number, word: string): string {
  return `${number === 0 ? 'no' : number} ${word}${number === 1 ? '' : 's'}`;
}
