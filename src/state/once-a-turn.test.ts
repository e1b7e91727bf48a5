import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onceATurn } from './once-a-turn.ts';

test('a key is looked at once in a turn of the loop, however many ask, and again in the next one', async () => {
  const looks: string[] = [];
  const ask = onceATurn((key: string) => `${key}${looks.push(key)}`);

  const first = [ask('a'), ask('b'), ask('a')];
  await Promise.resolve();
  first.push(ask('a'));
  await nextTurn();
  const second = ask('a');

  assert.deepEqual(first, ['a1', 'b2', 'a1', 'a1']);
  assert.equal(second, 'a3');
});

test('what failed and what was forgotten is looked at again in the same turn', () => {
  let looks = 0;
  const ask = onceATurn((_key: string) => {
    looks += 1;
    if (looks === 1) throw new Error('not now');
    return looks;
  });

  assert.throws(() => ask('a'), /not now/);
  assert.deepEqual([ask('a'), ask('a')], [2, 2]);
  ask.forget();
  assert.equal(ask('a'), 3);
});
