import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, writeFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../src/contracts/clock.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import { testQueueChaos } from '../../src/state/queue/chaos.ts';
import { message } from '../../src/state/queue/conformance.ts';
import { whyNot } from './needs.ts';

testQueueChaos('sqlite', () => ({ driver: 'sqlite', file: path.join(mkdtempSync(path.join(os.tmpdir(), 'queue-')), 'queue.db') }), {
  tasks: 10_000,
  putters: 2,
  workers: 3,
  kills: 100,
  leaseMs: 2000,
});

test('a disk that fills up refuses puts, leases and acks with a retryable error, loses nothing, and all goes on with room', async (t) => {
  const why = whyNot('mount', 'umount');
  if (why !== undefined) {
    t.skip(why);
    return;
  }
  const dir = mkdtempSync(path.join(os.tmpdir(), 'queue-disk-'));
  assert.equal(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=4m', 'tmpfs', dir]).status, 0);
  t.after(() => spawnSync('umount', [dir]));
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(dir, 'queue.db'), clock: systemClock });
  const stored: string[] = [];
  const put = async (): Promise<void> => {
    const task = message({ payload: 'x'.repeat(5000) });
    await queue.put([{ message: task }]);
    stored.push(task.task_id);
  };
  for (let index = 0; index < 20; index += 1) await put();
  const held = await queue.lease({ worker: 'w', leaseMs: 600_000, max: 5 });
  const ballast = path.join(dir, 'ballast');
  writeFileSync(ballast, '');
  for (let size = 4; size > 0; size -= 0.01) {
    try {
      writeFileSync(ballast, Buffer.alloc(size * 1024 * 1024));
      break;
    } catch {
      // silent-ok: the largest one that fits is looked for.
    }
  }

  const failures: { code?: string; remedy?: string }[] = [];
  for (let index = 0; index < 50; index += 1) await put().catch((error: object) => failures.push(error));
  for (const lease of held) await queue.ack(lease).catch((error: object) => failures.push(error));
  assert.ok(failures.length > 0, 'the disk was full');
  assert.deepEqual([...new Set(failures.map(({ code, remedy }) => `${code} ${remedy}`))], ['state.queue-not-written retry']);

  rmSync(ballast);
  for (const lease of held) await queue.ack(lease);
  await put();
  const rest = await queue.lease({ worker: 'w', leaseMs: 600_000, max: 1000 });
  const ended = new Set([...held, ...rest].map((lease) => lease.message.task_id));
  assert.deepEqual(
    stored.filter((id) => !ended.has(id)),
    [],
  );
});
