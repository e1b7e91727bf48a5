import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { Waiters } from './waiters.ts';

interface Watched {
  readonly waiters: Waiters;
  readonly looks: () => number;
  readonly tell: () => void;
}

/** Bit by bit: a timer that is set within one tick counts from its end. */
function pass(t: TestContext, ms: number): void {
  for (let at = 0; at < ms; at += 1) t.mock.timers.tick(1);
}

function watched(t: TestContext, isBrisk: boolean): Watched {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let looks = 0;
  let isNews = false;
  const hasNews = (): boolean => {
    looks += 1;
    const was = isNews;
    isNews = false;
    return was;
  };
  const waiters = new Waiters({ mayLease: () => false, hasNews, isBrisk });
  t.after(() => waiters[Symbol.dispose]());
  void waiters.wait({}, 1e9, new AbortController().signal);
  return { waiters, looks: () => looks, tell: () => void (isNews = true) };
}

test('what others put is looked for every 20 ms, also after news, by a process that is not fed by them', (t) => {
  const { looks, tell } = watched(t, false);
  tell();

  pass(t, 200);

  assert.equal(looks(), 10);
});

test('a process that is fed by another one looks every 2 ms after news, and seldom again after a second without any', (t) => {
  const { looks, tell } = watched(t, true);
  pass(t, 100);
  const before = looks();
  tell();
  pass(t, 20 + 200);
  const after = looks() - before;
  pass(t, 2000);
  const settled = looks();
  pass(t, 200);

  assert.deepEqual([before, after, looks() - settled], [5, 101, 10]);
});

test('nobody looks when nobody waits', async (t) => {
  t.mock.timers.enable({ apis: ['setTimeout'] });
  let looks = 0;
  const waiters = new Waiters({ mayLease: () => false, hasNews: () => ((looks += 1), false), isBrisk: true });
  const stop = new AbortController();
  const waiting = waiters.wait({}, 1e9, stop.signal);
  pass(t, 40);
  stop.abort();
  await waiting;
  pass(t, 1000);

  assert.equal(looks, 2);
});
