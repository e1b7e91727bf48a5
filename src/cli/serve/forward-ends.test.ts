import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { RunEvent } from '../../agent/run-events.ts';
import { newRunId, newSessionId, parseTenantId } from '../../contracts/ids.ts';
import { openRunFeed } from '../../state/run-feed.ts';
import { acceptEnd, endMessageOf } from './forward-ends.ts';

const [tenant, run] = [parseTenantId('acme'), newRunId(1)];
const totals = { turns: 1, toolCalls: 0, inputTokens: 2, outputTokens: 3, costMicroUsd: 4 };
const ended: Extract<RunEvent, { type: 'run.ended' }> = {
  type: 'run.ended',
  run,
  session: newSessionId(1),
  state: 'done',
  reason: 'over',
  output: 'hello',
  totals,
};

/** As it comes out of the channel between the processes. */
function told(event: RunEvent): unknown {
  const message = endMessageOf({ tenant, run }, event);
  return message === undefined ? undefined : JSON.parse(JSON.stringify(message));
}

test('who waits here for a run of another process hears its end at once, without a look at its row', async () => {
  let looks = 0;
  using feed = openRunFeed({
    home: { runDir: () => '/nowhere' },
    // A row that never ends: only what is told can.
    runs: {
      get: () => ((looks += 1), { id: run, tenant, state: 'running' }) as never,
      stateOf: () => ((looks += 1), 'running'),
    },
  });
  const waiting = feed.waitUntilSettled({ tenant, run }, new AbortController().signal);

  const isEnd = acceptEnd(feed, told(ended));

  assert.equal(isEnd, true);
  assert.deepEqual(await waiting, { state: 'done', reason: 'over', output: 'hello', totals });
  assert.equal(looks, 1);
});

test('only ends are told, and none whose output is long', () => {
  assert.equal(told({ type: 'text', delta: 'h' }), undefined);
  assert.equal(told({ ...ended, output: 'x'.repeat(256 * 1024 + 1) }), undefined);
  assert.ok(told({ ...ended, output: 'x'.repeat(256 * 1024) }));
});

test('a message that is no end of a run is not told to anybody', () => {
  const published: unknown[] = [];
  const feed = { publish: (...all: readonly unknown[]): void => void published.push(all) };
  const good = told(ended) as Record<string, unknown>;
  const bad: readonly unknown[] = [
    undefined,
    'alive',
    { kind: 'metrics', busy: 0, counts: [], seconds: [] },
    { ...good, run: '../../etc' },
    { ...good, tenant: '../x' },
    { ...good, state: 'asleep' },
    { ...good, totals: { ...totals, turns: -1 } },
    { ...good, output: 1 },
    { ...good, output: 'x'.repeat(256 * 1024 + 1) },
    { ...good, more: 1 },
  ];

  for (const message of bad) assert.equal(acceptEnd(feed, message), false, JSON.stringify(message)?.slice(0, 80));

  assert.deepEqual(published, []);
  assert.equal(acceptEnd(feed, good), true);
});
