import assert from 'node:assert/strict';
import { test } from 'node:test';
import { oneSync } from './one-sync.ts';

/** A sync that the test ends. */
function heldSync(): { sync: () => Promise<void>; count: () => number; end: (error?: Error) => Promise<void> } {
  const under: PromiseWithResolvers<void>[] = [];
  let count = 0;
  return {
    sync: () => {
      const held = Promise.withResolvers<void>();
      under.push(held);
      count += 1;
      return held.promise;
    },
    count: () => count,
    end: async (error) => {
      const held = under.shift();
      if (error === undefined) held?.resolve();
      else held?.reject(error);
      await new Promise(setImmediate);
    },
  };
}

test('calls of one moment share one sync, and calls during it share the next', async () => {
  const { sync, count, end } = heldSync();
  const settle = oneSync(sync);
  const early = [settle(), settle()];
  await new Promise(setImmediate);
  let isLateSettled = false;
  const late = [settle(), settle()].map(async (one) => {
    await one;
    isLateSettled = true;
  });

  await end();
  await Promise.all(early);

  assert.deepEqual([count(), isLateSettled], [2, false], 'what began before a call does not cover it');
  await end();
  await Promise.all(late);
  assert.deepEqual([count(), isLateSettled], [2, true]);
});

test('a sync that fails fails for those who shared it, and the next one is tried', async () => {
  const { sync, end } = heldSync();
  const settle = oneSync(sync);
  const failing = settle();
  await new Promise(setImmediate);
  const next = settle();

  await Promise.all([assert.rejects(failing, /disk/), end(new Error('disk'))]);
  await end();

  await next;
});
