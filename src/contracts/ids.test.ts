import assert from 'node:assert/strict';
import { test } from 'node:test';
import { idTimeMs, newRunId, parseRunId } from './ids.ts';

test('ids made in one millisecond differ, are ids, tell their time, and use every letter at every random place', () => {
  const ids = Array.from({ length: 4000 }, () => newRunId(1_700_000_000_123));

  assert.equal(new Set(ids).size, ids.length);
  for (const id of ids) assert.equal(idTimeMs(parseRunId(id)), 1_700_000_000_123);
  for (let place = 14; place < 30; place += 1) assert.equal(new Set(ids.map((id) => id[place])).size, 32, `place ${place}`);
});

test('ids sort by the time at which they were made', () => {
  const ids = [1, 31, 32, 1024, 1_700_000_000_000, 1_700_000_000_001].map((ms) => newRunId(ms));

  assert.deepEqual(ids.toSorted(), ids);
});
