import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseLostError } from '../../contracts/lease-lost-error.ts';
import { newRunId } from '../../contracts/ids.ts';
import { taskIdOf } from '../../contracts/task.ts';
import type { Lease } from '../../state/queue.ts';
import { holdTask } from './hold-task.ts';

const run = newRunId(1);
const lease: Lease = {
  message: {
    tenant_id: 'default',
    swarm_id: run,
    agent_type: 'agent',
    shard_id: 0,
    task_id: taskIdOf(run),
    payload: null,
    idempotency_key: run,
  },
  fence: 3,
  delivery: 1,
  worker: 'w',
  untilMs: 0,
};

test('a holder that was paused past its lease knows it at once when it wakes up, before it has asked anybody', () => {
  let nowMs = 0;
  using held = holdTask({ queue: { extend: async () => 0 }, leaseMs: 30_000, maxHoldMs: 1e9, nowMs: () => nowMs }, lease, 0);

  held.lease.check();
  nowMs = 29_001;

  assert.throws(() => held.lease.check(), { code: 'state.lease-lost' });
  assert.equal(held.lease.signal.aborted, true);
});

test('a heartbeat prolongs the lease; one that the queue refuses ends it', async () => {
  let nowMs = 0;
  const beats: number[] = [];
  const extend = async (): Promise<number> => {
    beats.push(nowMs);
    if (beats.length === 2) throw new LeaseLostError('tsk');
    return 0;
  };
  using held = holdTask({ queue: { extend }, leaseMs: 30, maxHoldMs: 1e9, nowMs: () => nowMs }, lease, 0);

  while (beats.length < 1) await new Promise((resolve) => setTimeout(resolve, 1));
  nowMs = 26;
  held.lease.check();
  while (!held.lease.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));

  assert.throws(() => held.lease.check(), { code: 'state.lease-lost' });
  assert.deepEqual(beats, [0, 26]);
});

test('a task that is held longer than any run may take is not prolonged any more', async () => {
  let nowMs = 0;
  let beats = 0;
  const extend = async (): Promise<number> => (beats += 1);
  using held = holdTask({ queue: { extend }, leaseMs: 30, maxHoldMs: 100, nowMs: () => (nowMs += 10) }, lease, 0);

  while (!held.lease.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 1));

  assert.ok(beats > 0 && beats < 10, `${beats}`);
});
