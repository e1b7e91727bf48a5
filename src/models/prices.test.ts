import assert from 'node:assert/strict';
import { test } from 'node:test';
import { costMicroUsd, priceOf } from './prices.ts';

const rows: readonly (readonly [model: string, input: number, output: number, microUsd: number])[] = [
  ['openai/gpt-4o-mini', 1_000_000, 1_000_000, 7_500_000],
  ['openai/gpt-4o-mini', 1234, 56, 2187],
  ['openai/gpt-4o', 1000, 1000, 12_500],
  ['mistral/codestral-2501', 100, 0, 30],
  ['mistral/codestral-2501', 333, 10, 109],
  ['mistral/labs-devstral-small-2512', 3, 0, 1],
  ['openai/gpt-4o', 0, 0, 0],
];
for (const [model, inputTokens, outputTokens, microUsd] of rows) {
  test(`${inputTokens} tokens in and ${outputTokens} out cost ${microUsd} millionths at ${model}`, () => {
    const price = priceOf(model, undefined, false);

    assert.ok(price !== undefined);
    assert.equal(costMicroUsd({ inputTokens, outputTokens }, price), microUsd);
  });
}

test('llm.yaml’s price comes before the table and before a local server’s nothing; half a price is none', () => {
  const llm = {
    version: 1 as const,
    providers: {},
    models: { 'openai/gpt-4o': { inputPer1M: 9, outputPer1M: 9 }, 'box/half': { inputPer1M: 9 } },
  };

  assert.deepEqual(priceOf('openai/gpt-4o', llm, true), { inputPer1M: 9, outputPer1M: 9 });
  assert.deepEqual(priceOf('openai/gpt-4o-mini', llm, true), { inputPer1M: 0, outputPer1M: 0 });
  assert.equal(priceOf('box/half', llm, false), undefined);
  assert.equal(priceOf('constructor', llm, false), undefined);
});
