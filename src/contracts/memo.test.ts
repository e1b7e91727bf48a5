import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createMemo, forgetful, ofBoth } from './memo.ts';

test('what was made of a key is made once for each owner', () => {
  const memo = createMemo();
  const [one, other] = [{}, {}];
  let made = 0;
  const make = (): number => (made += 1);

  assert.deepEqual([memo.of(one, 'a', make), memo.of(one, 'a', make), memo.of(one, 'b', make), memo.of(other, 'a', make)], [1, 1, 2, 3]);
});

test('data that everybody gets cannot be changed by anybody', () => {
  const found = createMemo().of({}, 'a', () => ({ list: [{ deep: 1 }] }));

  assert.throws(() => Object.assign(found, { list: [] }), TypeError);
  assert.throws(() => Object.assign(found.list[0] ?? {}, { deep: 2 }), TypeError);
});

test('a failure is not kept', () => {
  const memo = createMemo();
  const owner = {};
  assert.throws(() =>
    memo.of(owner, 'a', () => {
      throw new Error('first');
    }),
  );

  assert.equal(
    memo.of(owner, 'a', () => 'second'),
    'second',
  );
});

test('the oldest goes when there are too many', () => {
  const memo = createMemo(2);
  const owner = {};
  let made = 0;
  for (const key of ['a', 'b', 'c']) memo.of(owner, key, () => key);

  memo.of(owner, 'c', () => (made += 1));
  memo.of(owner, 'a', () => (made += 1));

  assert.equal(made, 1);
});

test('a forgetful memo keeps nothing', () => {
  let made = 0;
  const owner = {};
  for (let round = 0; round < 2; round += 1) forgetful.of(owner, 'a', () => (made += 1));

  assert.equal(made, 2);
});

test('what was made of two things is made anew when either is another one', () => {
  const memo = createMemo();
  const [one, other] = [{}, {}];
  let made = 0;
  const get = (a: object, b: object, key = 'k'): number => ofBoth(memo, { one: a, other: b, key }, () => (made += 1));

  assert.deepEqual(
    [get(one, other), get(one, other), get(other, one), get(one, {}), get({}, other), get(one, other, 'l')],
    [1, 1, 2, 3, 4, 5],
  );
  assert.deepEqual([get(one, other), ofBoth(forgetful, { one, other, key: 'k' }, () => 9)], [1, 9]);
  assert.ok(Object.isFrozen(ofBoth(memo, { one, other, key: 'data' }, () => ({ a: 1 }))));
});
