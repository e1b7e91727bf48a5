import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import * as z from 'zod/mini';
import { isJsonValue } from './json.ts';

const odd: readonly unknown[] = [
  undefined,
  Number.NaN,
  Infinity,
  1n,
  Symbol('s'),
  () => 1,
  new Date(0),
  new Map(),
  new (class Point {
    x = 1;
  })(),
  /a/,
  // eslint-disable-next-line no-sparse-arrays
  [, 1],
  Buffer.from('a'),
];

test('what is JSON is told as a schema of all JSON tells it, with one odd value anywhere in it too', () => {
  const schema = z.json();
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 4, withCrossShrink: true },
      fc.jsonValue(),
      fc.constantFrom(...odd),
      fc.array(tie('any'), { maxLength: 3 }),
      fc.dictionary(fc.string(), tie('any'), { maxKeys: 3 }),
      fc.dictionary(fc.string(), tie('any'), { maxKeys: 3, noNullPrototype: false }),
    ),
  })).any;
  let refused = 0;
  fc.assert(
    fc.property(value, (one) => {
      const isJson = isJsonValue(one);
      if (!isJson) refused += 1;
      assert.equal(isJson, schema.safeParse(one).success);
    }),
    { numRuns: 2000 },
  );
  assert.ok(refused > 200, `${refused} values were refused`);
});

test('a value that goes in a circle ends', () => {
  const circle: unknown[] = [];
  circle.push([circle]);

  assert.throws(() => isJsonValue(circle), RangeError);
});
