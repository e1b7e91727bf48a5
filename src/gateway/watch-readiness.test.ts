import assert from 'node:assert/strict';
import { test } from 'node:test';
import { silentLog, type Log, type LogFields } from '../contracts/log.ts';
import type { ReadinessCheck } from './gateway-context.ts';
import { watchReadiness } from './watch-readiness.ts';

interface World {
  readonly ask: () => Promise<readonly ReadinessCheck[]>;
  readonly told: string[];
  looks: number;
  nowMs: number;
  checks: readonly ReadinessCheck[];
}

function newWorld(freshMs?: number): World {
  const told: string[] = [];
  const tell = (message: string, fields?: LogFields): void =>
    void told.push(`${message} ${fields?.['check']} ${fields?.['error'] ?? ''}`.trim());
  const log: Log = { ...silentLog, warn: tell, info: tell };
  const look = async (): Promise<readonly ReadinessCheck[]> => {
    world.looks += 1;
    return world.checks;
  };
  const ask = watchReadiness({ look, log, nowMs: () => world.nowMs, ...(freshMs === undefined ? {} : { freshMs }) });
  const world: World = { ask, told, looks: 0, nowMs: 0, checks: [{ name: 'queue', isReady: true }] };
  return world;
}

test('a thousand questions in a second are one look, and the next second looks again', async () => {
  const world = newWorld();

  await Promise.all(Array.from({ length: 1000 }, async () => await world.ask()));
  world.nowMs = 999;
  await world.ask();
  world.checks = [{ name: 'queue', isReady: false, why: 'gone' }];
  world.nowMs = 1000;
  const answer = await world.ask();

  assert.deepEqual([world.looks, answer[0]?.isReady], [2, false]);
});

test('the log tells of changes only: the first failure, another reason, and the recovery', async () => {
  const world = newWorld(0);
  const states = [undefined, 'gone', 'gone', 'gone', 'slow', undefined, undefined];

  for (const why of states) {
    world.checks = [{ name: 'queue', isReady: why === undefined, ...(why === undefined ? {} : { why }) }];
    await world.ask();
  }

  assert.deepEqual(world.told, ['not ready queue gone', 'not ready queue slow', 'ready again queue']);
});

test('sabotage: a look that fails as a whole is not kept as an answer', async () => {
  const world = newWorld();
  world.checks = null as unknown as readonly ReadinessCheck[];
  await assert.rejects(world.ask());

  world.checks = [{ name: 'queue', isReady: true }];

  assert.equal((await world.ask())[0]?.isReady, true);
});
