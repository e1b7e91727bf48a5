import assert from 'node:assert/strict';
import { test } from 'node:test';
import { counted, listed } from './counted.ts';

test('one is told as one, and none and many as many', () => {
  assert.deepEqual(
    [counted(0, 'run'), counted(1, 'run'), counted(2, 'run'), counted(1, 'entry', 'entries'), counted(0.5, 'core')],
    ['0 runs', '1 run', '2 runs', '1 entry', '0.5 cores'],
  );
});

test('names are listed up to twenty, and a single one as a single one', () => {
  const many = Array.from({ length: 23 }, (_, index) => `n${index}`);

  assert.deepEqual(
    [listed([], 'there is none'), listed(['a'], ''), listed(['a', 'b'], '')],
    ['there is none', 'there is a', 'there are a, b'],
  );
  assert.match(listed(many, ''), /^there are n0, .*, n19 and 3 more$/);
});
