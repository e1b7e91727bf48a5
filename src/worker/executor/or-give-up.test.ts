import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { test } from 'node:test';
import { silentLog } from '../../contracts/log.ts';
import { orGiveUp } from './or-give-up.ts';

test('work that is over is known to no signal any more, whether it ended well or failed', async () => {
  const [release, lease] = [new AbortController(), new AbortController()];
  const ctx = { signals: [release.signal, lease.signal], patienceMs: 1e6, log: silentLog };
  const during: number[] = [];

  for (let count = 0; count < 20; count += 1) {
    const work = orGiveUp(ctx, Promise.resolve(count));
    during.push(getEventListeners(release.signal, 'abort').length);
    assert.equal(await work, count);
    await assert.rejects(orGiveUp(ctx, Promise.reject(new Error('broken'))), /broken/);
  }

  assert.deepEqual(new Set(during), new Set([1]));
  assert.deepEqual(
    ctx.signals.map((signal) => getEventListeners(signal, 'abort').length),
    [0, 0],
  );
});

test('work that does not notice that it is to stop is given up with the reason of the signal', async () => {
  const [release, lease] = [new AbortController(), new AbortController()];
  const lines: string[] = [];
  const forever = new Promise<never>(() => {});
  const given = orGiveUp(
    { signals: [release.signal, lease.signal], patienceMs: 1, log: { ...silentLog, error: (line) => void lines.push(line) } },
    forever,
  );
  const keepAlive = setTimeout(() => {}, 60_000);

  lease.abort(new Error('the lease is lost'));

  await assert.rejects(given, /the lease is lost/);
  clearTimeout(keepAlive);
  assert.equal(lines.length, 1);
});

test('work that ends within its patience has its own end, also when the signal fired before', async () => {
  const log = silentLog;

  assert.equal(
    await orGiveUp({ signals: [AbortSignal.abort(new Error('stop'))], patienceMs: 1e6, log }, Promise.resolve('ended')),
    'ended',
  );
});
