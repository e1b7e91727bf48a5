import assert from 'node:assert/strict';
import { test } from 'node:test';
import canonicalize from 'canonicalize';
import fc from 'fast-check';
import * as z from 'zod/mini';
import { canonicalJson, isJsonValue } from './json.ts';

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

test('the quick spelling is the library’s, byte for byte, of plain values and of every odd one', () => {
  const key = fc.oneof(
    fc.string(),
    fc.constantFrom('a', 'b', 'Z', 'é', '10', '9', '-1', '__proto__', 'toJSON', '\u{1f600}', '\ud800', '\uffff'),
  );
  const value = fc.letrec<{ any: unknown }>((tie) => ({
    any: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      fc.jsonValue(),
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.constantFrom<unknown>(undefined, -0, 1e21, new Date(0), Object('boxed'), { toJSON: () => 1 }, '\ud800', '\\ud800', '\\udc00'),
      fc.array(tie('any'), { maxLength: 4 }),
      fc.dictionary(key, tie('any'), { maxKeys: 5 }),
    ),
  })).any;
  const spelled = (spell: () => string | undefined): string => {
    try {
      return spell() ?? 'no JSON';
    } catch (error) {
      return (error as Error).message.startsWith('A value without') ? 'no JSON' : `refused: ${(error as Error).message}`;
    }
  };
  let refused = 0;
  fc.assert(
    fc.property(value, (one) => {
      const expected = spelled(() => canonicalize(one));
      if (expected.startsWith('refused')) refused += 1;
      assert.equal(
        spelled(() => canonicalJson(one)),
        expected,
      );
    }),
    { numRuns: 5000 },
  );
  assert.ok(refused > 50, `${refused} values were refused`);
});

test('a value is not changed by being spelled, and what is deep is spelled as well', () => {
  const value = { b: [{ d: 1, c: 2 }], a: 1 };
  let deep: unknown = { b: 1, a: 2 };
  for (let level = 0; level < 5000; level += 1) deep = { b: deep, a: level };

  assert.equal(canonicalJson(value), '{"a":1,"b":[{"c":2,"d":1}]}');
  assert.equal(JSON.stringify(value), '{"b":[{"d":1,"c":2}],"a":1}');
  assert.equal(canonicalJson(deep), canonicalize(deep));
});
