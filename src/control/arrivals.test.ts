import assert from 'node:assert/strict';
import { test } from 'node:test';
import { newRunId } from '../contracts/ids.ts';
import { openArrivals } from './arrivals.ts';

test('a run that came a moment ago is known once, and one that waited or came elsewhere is not', () => {
  const clock = { ms: 5000 };
  const arrivals = openArrivals(() => clock.ms);
  const [soon, late, elsewhere] = [newRunId(1), newRunId(2), newRunId(3)];
  arrivals.add(soon, 4990);
  arrivals.add(late, 4990);

  const first = [arrivals.take(soon), arrivals.take(soon), arrivals.take(elsewhere)];
  clock.ms = 6000;

  assert.deepEqual(first, [4990, undefined, undefined]);
  assert.equal(arrivals.take(late), undefined);
});

test('runs that nobody takes do not pile up, and forgetting one only costs a look', () => {
  const arrivals = openArrivals(() => 0);
  const runs = Array.from({ length: 4097 }, (_, index) => newRunId(index));
  for (const run of runs) arrivals.add(run, 0);

  assert.equal(runs.filter((run) => arrivals.take(run) !== undefined).length, 1);
});
