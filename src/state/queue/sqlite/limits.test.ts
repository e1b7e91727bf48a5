import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { getEventListeners } from 'node:events';
import { mkdtempSync, statSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { systemClock } from '../../../contracts/clock.ts';
import type { TenantId } from '../../../contracts/ids.ts';
import type { TaskMessage } from '../../../contracts/task.ts';
import { openQueue } from '../../open-queue.ts';
import type { Queue, QueueScope } from '../../queue.ts';
import { message } from '../conformance.ts';
import { openQueueFile } from './open-store.ts';
import type { Request } from './operations.ts';
import { runBatch } from './run-batch.ts';
import { Store } from './store.ts';
import { Writer } from './writer.ts';

function scratchFile(): string {
  return path.join(mkdtempSync(path.join(os.tmpdir(), 'queue-')), 'queue.db');
}

async function open(file = scratchFile(), maxBytes?: number): Promise<Queue> {
  return openQueue({ driver: 'sqlite', file, clock: systemClock, ...(maxBytes !== undefined && { maxBytes }) });
}

const a = 'tenant-a' as TenantId;

test('a message of 1 MiB is put, and one byte more is refused with its size', async () => {
  await using queue = await open();
  const empty = message({ payload: '' });
  const room = 1024 * 1024 - Buffer.byteLength(JSON.stringify(empty));

  await queue.put([{ message: { ...empty, payload: 'x'.repeat(room) } }]);

  await assert.rejects(queue.put([{ message: { ...message(), payload: 'é'.repeat(room / 2 + 1) } }]), {
    code: 'state.task-too-large',
    remedy: 'fix-request',
  });
});

const circle: { self?: unknown } = {};
circle.self = circle;
const deep: unknown = JSON.parse(`${'['.repeat(100_000)}${']'.repeat(100_000)}`);
const bad: Readonly<Record<string, object>> = {
  'a tenant that is a path': { tenant_id: '../../etc' },
  'an empty tenant': { tenant_id: '' },
  'a wildcard for an agent type': { agent_type: '*' },
  'a negative shard': { shard_id: -1 },
  'half a shard': { shard_id: 0.5 },
  'a task id with a quote': { task_id: "tsk_' OR 1=1 --" },
  'a key without letters': { idempotency_key: '' },
  'a key that is too long': { idempotency_key: 'k'.repeat(257) },
  'a key that is not Unicode': { idempotency_key: 'a\ud800' },
  'a payload that is a circle': { payload: circle },
  'a payload that is nested too deeply': { payload: deep },
  'a payload that is a function': { payload: () => 1 },
  'a payload that is not a number': { payload: Number.NaN },
  'an unknown field': { admin: true },
};
for (const [name, fields] of Object.entries(bad)) {
  test(`${name} is refused, and nothing is stored`, async () => {
    await using queue = await open();

    await assert.rejects(queue.put([{ message: message() }, { message: { ...message(), ...fields } }]), {
      code: 'state.task-refused',
    });

    assert.deepEqual(await queue.counts(), []);
  });
}

for (const field of ['tenant_id', 'swarm_id', 'agent_type', 'shard_id', 'task_id', 'payload', 'idempotency_key']) {
  test(`a message without ${field} is refused by its name`, async () => {
    await using queue = await open();
    const { [field as 'payload']: _gone, ...rest } = message();

    await assert.rejects(queue.put([{ message: rest as TaskMessage }]), (error: Error) => error.message.includes(`${field}:`));
  });
}

for (const options of [{ priority: 10 }, { priority: -1 }, { priority: 0.5 }, { maxDeliveries: 0 }, { notBeforeMs: Number.NaN }]) {
  test(`a put with ${Object.keys(options)[0]} ${Object.values(options)[0]} is refused`, async () => {
    await using queue = await open();

    await assert.rejects(queue.put([{ message: message(), ...options }]), { code: 'state.task-refused' });
  });
}

const badScopes: readonly QueueScope[] = [
  { tenant: '' as TenantId },
  { agentType: '' },
  { agentType: '*' },
  { shard: -1 },
  { shard: Number.NaN },
];
for (const scope of badScopes) {
  test(`the scope ${JSON.stringify(scope)} does not mean everything`, async () => {
    await using queue = await open();
    await queue.put([{ message: message() }]);
    const refused = { code: 'state.scope-refused', remedy: 'fix-request' };

    await assert.rejects(queue.pause(scope), refused);
    await assert.rejects(queue.resume(scope), refused);
    await assert.rejects(queue.remove(scope), refused);
    await assert.rejects(queue.requeue(scope), refused);
    await assert.rejects(queue.lease({ worker: 'w', leaseMs: 1000, max: 1, scope }), refused);
    await assert.rejects(queue.counts(scope), refused);

    assert.equal((await queue.counts())[0]?.ready, 1);
  });
}

for (const share of [
  { weight: 0 },
  { weight: -1 },
  { weight: 0.5 },
  { weight: Number.NaN },
  { maxLeased: -1 },
  { maxLeased: Number.NaN },
]) {
  test(`the share ${Object.keys(share)[0]} ${Object.values(share)[0]} is refused`, async () => {
    await using queue = await open();

    await assert.rejects(queue.setShare(a, share), { code: 'state.share-refused' });
  });
}

test('a lease cannot be without an end', async () => {
  await using queue = await open();
  await queue.put([{ message: message() }]);

  for (const leaseMs of [Number.NaN, Infinity, -1])
    await assert.rejects(queue.lease({ worker: 'w', leaseMs, max: 1 }), { code: 'ERR_ASSERTION' });

  assert.equal((await queue.counts())[0]?.leased, 0);
});

test('waiting leaves nothing on the signal that it was given', async () => {
  await using queue = await open();
  const { signal } = new AbortController();

  for (let round = 0; round < 5; round += 1) await queue.waitForWork({}, 1, signal);

  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('behind a lock that is not given up all requests of a batch fail together, not one after the other', () => {
  const database = openQueueFile(scratchFile());
  let tries = 0;
  const locked = (): never => {
    tries += 1;
    throw Object.assign(new Error('database is locked'), { errcode: 5 });
  };
  const store = new Store({ ...database, transact: locked });
  const request: Request = { kind: 'forget', ask: { beforeMs: 0, after: 0 }, at: { wallMs: 0, monotonicMs: 0 } };

  const { replies } = runBatch(store, [request, request, request]);

  assert.deepEqual(
    replies,
    Array.from({ length: 3 }, () => ({ failure: { code: 5, message: 'database is locked' } })),
  );
  assert.equal(tries, 1);
  database[Symbol.dispose]();
});

test('keys are compared byte by byte: quotes, zero bytes, wildcards, case and accents make other keys', async () => {
  await using queue = await open();
  const keys = ["'; DROP TABLE task; --", 'a\0b', 'a\0c', 'a', 'A', '%', '_', 'é', 'e\u0301', '__proto__', ' a', '1', '1.0'];

  const first = await queue.put(keys.map((key) => ({ message: message({ idempotency_key: key }) })));
  const second = await queue.put(keys.map((key) => ({ message: message({ idempotency_key: key }) })));

  assert.ok(first.every(({ isNew }) => isNew));
  assert.deepEqual(
    second.map(({ taskId }) => taskId),
    first.map(({ taskId }) => taskId),
  );
  for (const [index, key] of keys.entries()) assert.equal((await queue.find(a, key))?.message.task_id, first[index]?.taskId);
});

test('a full file refuses puts with a retryable error, loses nothing, and goes on when there is room', async () => {
  const file = scratchFile();
  const stored: string[] = [];
  {
    await using queue = await open(file, 400 * 1024);
    const failures: unknown[] = [];
    while (failures.length === 0) {
      const put = message({ payload: 'x'.repeat(10_000) });
      await queue.put([{ message: put }]).then(
        () => stored.push(put.task_id),
        (error: unknown) => failures.push(error),
      );
    }

    assert.ok(stored.length > 10);
    const [{ code, remedy }] = failures as [{ code: string; remedy: string }];
    assert.deepEqual([code, remedy], ['state.queue-not-written', 'retry']);
    assert.equal(await queue.remove({ state: 'ready', task: stored[0] as never }), 1);
    assert.equal((await queue.put([{ message: message({ payload: 'x'.repeat(10_000) }) }]))[0]?.isNew, true);
  }

  await using again = await open(file);
  const leases = await again.lease({ worker: 'w', leaseMs: 1000, max: 1000 });
  const there = new Set<string>(leases.map((lease) => lease.message.task_id));
  assert.deepEqual(
    stored.slice(1).filter((id) => !there.has(id)),
    [],
  );
});

test('a put that does not fit is not the failure of what arrived with it', async () => {
  await using queue = await open(scratchFile(), 600 * 1024);
  await queue.put([{ message: message() }]);
  const [lease] = await queue.lease({ worker: 'w', leaseMs: 60_000, max: 1 });

  const results = await Promise.allSettled([
    queue.put([{ message: message() }]),
    queue.put([{ message: message({ payload: 'x'.repeat(900_000) }) }]),
    queue.ack(lease!),
    queue.extend({ ...lease!, fence: 99_999 }, 1000),
    queue.put([{ message: message() }]),
  ]);

  assert.deepEqual(
    results.map((result) => (result.status === 'fulfilled' ? 'done' : (result.reason as { code: string }).code)),
    ['done', 'state.queue-not-written', 'done', 'state.lease-lost', 'done'],
  );
  assert.equal((await queue.counts())[0]?.ready, 2);
});

test('when the writer’s thread dies its requests fail with a retryable error, and the next one starts another', async () => {
  const file = scratchFile();
  openQueueFile(file)[Symbol.dispose]();
  const program = new URL('../fixtures/dying-thread.ts', import.meta.url);
  const writer = new Writer({ file, program, now: () => ({ wallMs: 0, monotonicMs: 0 }), onReady: () => {} });

  for (let round = 0; round < 2; round += 1) {
    const results = await Promise.allSettled([
      writer.send('forget', { beforeMs: 0, after: 0 }),
      writer.send('forget', { beforeMs: 0, after: 0 }),
    ]);
    for (const result of results) {
      assert.equal(result.status, 'rejected');
      assert.equal((result.reason as { code: string }).code, 'state.queue-writer-ended');
      assert.match((result.reason as Error).message, /struck by lightning/);
    }
  }
  await writer[Symbol.asyncDispose]();
});

test('closing waits for what was asked; afterwards nothing is taken', async () => {
  const file = scratchFile();
  const queue = await open(file);
  const put = queue.put([{ message: message() }]);
  const waiting = queue.waitForWork({ agentType: 'never' }, 60_000, new AbortController().signal);

  await queue[Symbol.asyncDispose]();

  assert.equal((await put)[0]?.isNew, true);
  await waiting;
  await assert.rejects(queue.put([{ message: message() }]), /is closed/);
  await queue[Symbol.asyncDispose]();
});

test('a process with an idle queue ends by itself', () => {
  const program = `
    import { openQueue } from ${JSON.stringify(path.join(import.meta.dirname, '..', '..', 'open-queue.ts'))};
    const queue = await openQueue({ driver: 'sqlite', file: ${JSON.stringify(scratchFile())}, clock: { now: () => 0 } });
    console.log(await queue.lease({ worker: 'w', leaseMs: 1, max: 1 }));`;

  const ran = spawnSync(process.execPath, ['--input-type=module', '--eval', program], { encoding: 'utf8', timeout: 60_000 });

  assert.deepEqual([ran.status, ran.stdout, ran.stderr], [0, '[]\n', '']);
});

test('the file is for its owner only', async () => {
  const file = scratchFile();
  await using queue = await open(file);
  await queue.put([{ message: message() }]);

  for (const end of ['', '-wal', '-shm']) assert.equal(statSync(`${file}${end}`).mode & 0o777, 0o600, end);
});

test('a damaged file needs a human, for the queue cannot be made again from other files', async () => {
  const file = scratchFile();
  writeFileSync(file, 'not a database, but long enough to be read as one'.repeat(100));

  await assert.rejects(open(file), { code: 'state.queue-damaged', remedy: 'ask-human' });
});
