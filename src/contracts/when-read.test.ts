import assert from 'node:assert/strict';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { whenRead } from './when-read.ts';

test('a schema is built when it reads a value, once, and not where an optional value is absent', () => {
  let built = 0;
  const late = whenRead(() => {
    built += 1;
    return z.strictObject({ a: z.number() });
  });
  const outer = z.strictObject({ late: z.optional(late), other: z.optional(z.string()) });

  assert.deepEqual(outer.parse({ other: 'x' }), { other: 'x' });
  assert.deepEqual(outer.parse({ late: undefined }), { late: undefined });
  assert.equal(built, 0);
  assert.deepEqual([outer.parse({ late: { a: 1 } }), outer.parse({ late: { a: 2 } })], [{ late: { a: 1 } }, { late: { a: 2 } }]);
  assert.equal(built, 1);
});

test('it refuses what the schema itself refuses, and is required where nothing says otherwise', () => {
  const late = z.strictObject({ late: whenRead(() => z.strictObject({ a: z.number() })) });

  for (const wrong of [{}, { late: undefined }, { late: {} }, { late: { a: 'x' } }, { late: { a: 1, b: 2 } }, { late: null }])
    assert.equal(z.safeParse(late, wrong).success, false, JSON.stringify(wrong));
});

test('it has the JSON schema of what it builds', () => {
  const make = () => z.strictObject({ a: z.optional(z.number()) });

  assert.deepEqual(
    z.toJSONSchema(z.strictObject({ x: z.optional(whenRead(make)) })),
    z.toJSONSchema(z.strictObject({ x: z.optional(make()) })),
  );
});

test('a schema with a default is refused: its value would be missing where it is absent', () => {
  for (const make of [() => z._default(z.number(), 1), () => z.optional(z.number())])
    assert.throws(() => z.parse(whenRead<z.ZodMiniType>(make), 1), { name: 'AssertionError' });
});
