import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LeaseLostError } from '../../contracts/lease-lost-error.ts';
import type { TaskId } from '../../contracts/ids.ts';
import type { PutTask } from '../queue.ts';
import { a, b, c, message, take, takeOne, tasks, type QueueUnderTest } from './fixtures/queue-world.ts';
import { testOperation } from './fixtures/test-operation.ts';
import { testOrder } from './fixtures/test-order.ts';

export { TestTime, message, type QueueUnderTest } from './fixtures/queue-world.ts';

/** The contract of Queue, sentence by sentence. */
export function testQueue(product: string, make: () => Promise<QueueUnderTest>): void {
  testDurability(product, make);
  testLeases(product, make);
  testEnds(product, make);
  testOrder(product, make);
  testOperation(product, make);
  testTime(product, make);
}

function testDurability(product: string, make: () => Promise<QueueUnderTest>): void {
  test(`${product}: a task that put resolved for survives the death of every process`, async () => {
    const under = await make();
    const put = message({ payload: { deep: [1, 'é', null, JSON.parse('{"__proto__": {"admin": true}}')] } });
    await under.inKilledProcess('put', put);

    await using queue = await under.open();

    const lease = await takeOne(queue);
    assert.deepEqual(lease.message, put);
    assert.equal(lease.delivery, 1);
  });

  test(`${product}: one idempotency key of one tenant is put once, also in one put, and the answer names the first task`, async () => {
    const under = await make();
    await using queue = await under.open();
    const first = message();
    const again = message({ idempotency_key: first.idempotency_key });

    const one = await queue.put([{ message: first }]);
    const two = await queue.put([{ message: again }, { message: again }, { message: message() }]);

    assert.deepEqual(one, [{ taskId: first.task_id, isNew: true }]);
    assert.deepEqual(
      two.map(({ isNew }) => isNew),
      [false, false, true],
    );
    assert.equal(two[0]!.taskId, first.task_id);
    assert.equal((await take(queue, 10)).length, 2);
  });

  test(`${product}: the same key put from several processes at once is one task`, async () => {
    const under = await make();
    await using queue = await under.open();
    const key = 'from everywhere';

    const answers = await Promise.all([
      under.putInProcess(message({ idempotency_key: key }), 20),
      under.putInProcess(message({ idempotency_key: key }), 20),
      queue.put([{ message: message({ idempotency_key: key }) }]).then((outcomes) => outcomes.map(({ taskId }) => taskId)),
    ]);

    assert.equal(new Set(answers.flat()).size, 1);
    assert.equal((await take(queue, 10)).length, 1);
  });

  test(`${product}: another tenant’s same key and same id are another task`, async () => {
    const under = await make();
    await using queue = await under.open();
    const first = message();

    await queue.put([{ message: first }, { message: { ...first, tenant_id: b } }]);

    const leases = await take(queue, 10);
    assert.deepEqual(leases.map((lease) => lease.message.tenant_id).toSorted(), [a, b]);
    await queue.ack(leases.find((lease) => lease.message.tenant_id === b)!);
    assert.equal((await queue.get(a, first.task_id as TaskId))?.state, 'leased');
    assert.equal((await queue.get(b, first.task_id as TaskId))?.state, 'done');
    assert.equal(await queue.get(c, first.task_id as TaskId), undefined);
  });

  test(`${product}: the answer names the first task also after it is done, until forget removed it`, async () => {
    const under = await make();
    await using queue = await under.open();
    const first = message();
    const again = (): PutTask => ({ message: message({ idempotency_key: first.idempotency_key }) });
    await queue.put([{ message: first }]);
    await queue.ack(await takeOne(queue));

    const [before] = await queue.put([again()]);
    assert.equal(before?.taskId, first.task_id);
    assert.equal((await queue.find(a, first.idempotency_key))?.state, 'done');
    assert.equal(await queue.find(b, first.idempotency_key), undefined);
    assert.equal(await queue.forget(under.time.now()), 0);

    under.time.pass(1000);
    assert.equal(await queue.forget(under.time.now()), 1);
    assert.equal(await queue.find(a, first.idempotency_key), undefined);
    const [after] = await queue.put([again()]);
    assert.equal(after?.isNew, true);
  });

  test(`${product}: a put is all or nothing`, async () => {
    const under = await make();
    await using queue = await under.open();
    const first = message();
    await queue.put([{ message: first }]);
    const thief = message({ task_id: first.task_id });

    await assert.rejects(queue.put([...tasks(2), { message: thief }, ...tasks(2)]), { code: 'state.task-id-taken' });
    await assert.rejects(queue.put([...tasks(2), { message: { ...message(), tenant_id: '../x' } }]), { code: 'state.task-refused' });

    assert.deepEqual(await queue.counts(), [
      {
        tenant: a,
        agentType: 'agent',
        scheduled: 0,
        ready: 1,
        leased: 0,
        dead: 0,
        isPaused: false,
        oldestReadyMs: under.time.now(),
      },
    ]);
  });
}

function testLeases(product: string, make: () => Promise<QueueUnderTest>): void {
  test(`${product}: a task whose lease ran out is leased again with a larger fence`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1));
    const first = await takeOne(queue);

    under.time.pass(29_999);
    assert.equal((await take(queue)).length, 0);
    under.time.pass(1);
    const second = await takeOne(queue);

    assert.equal(second.message.task_id, first.message.task_id);
    assert.ok(second.fence > first.fence);
    assert.deepEqual([first.delivery, second.delivery], [1, 2]);
    assert.match((await queue.get(a, second.message.task_id as TaskId))?.lastReason ?? '', /ran out/);
  });

  test(`${product}: a task whose holder died is leased again with a larger fence`, async () => {
    const under = await make();
    const put = message();
    await under.inKilledProcess('lease', put);
    await using queue = await under.open();
    assert.equal((await queue.get(a, put.task_id as TaskId))?.state, 'leased');
    const other = message();
    await queue.put([{ message: other }]);
    const before = await takeOne(queue);
    assert.equal(before.message.task_id, other.task_id);

    under.time.pass(31_000);
    await queue.extend(before, 30_000);
    const again = await takeOne(queue);

    assert.equal(again.message.task_id, put.task_id);
    assert.equal(again.delivery, 2);
    assert.ok(again.fence > 1);
  });

  test(`${product}: a task is leased to one worker at a time, and its fence only grows`, async () => {
    const under = await make();
    await using queue = await under.open();
    await using other = await under.open();
    await queue.put(tasks(200, {}, { maxDeliveries: 1000 }));
    const fences = new Map<string, number>();
    let inHand = 0;
    const held = new Set<string>();

    await Promise.all(
      [queue, other, queue, other].map(async (from, worker) => {
        for (let round = 0; round < 25; round += 1) {
          for (const lease of await take(from, 7)) {
            const { task_id: id } = lease.message;
            assert.ok(!held.has(id), 'nobody else holds it');
            held.add(id);
            assert.ok(lease.fence > (fences.get(id) ?? 0), 'its fence grew');
            fences.set(id, lease.fence);
            inHand += 1;
            await new Promise((resolve) => setImmediate(resolve));
            held.delete(id);
            await from.nak(lease, { delayMs: 0, reason: `worker ${worker}` });
          }
        }
      }),
    );

    assert.ok(inHand > 100);
  });

  test(`${product}: a larger fence goes to whoever takes over, from whichever process the lease came`, async () => {
    const under = await make();
    await using one = await under.open();
    await using two = await under.open();
    await one.put(tasks(1, {}, { maxDeliveries: 100 }));
    let last = 0;

    for (const queue of [one, two, one, one, two, two, one]) {
      const lease = await takeOne(queue);
      assert.ok(lease.fence > last, `${lease.fence} is larger than ${last}`);
      last = lease.fence;
      under.time.pass(30_001);
    }
  });

  test(`${product}: extend holds a lease on and resolves with its new end`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1));
    const lease = await takeOne(queue);

    under.time.pass(20_000);
    assert.equal(await queue.extend(lease, 30_000), under.time.now() + 30_000);
    under.time.pass(20_000);

    assert.equal((await take(queue)).length, 0);
    assert.equal((await queue.get(a, lease.message.task_id as TaskId))?.leaseUntilMs, under.time.now() + 10_000);
    await queue.ack(lease);
  });
}

function testEnds(product: string, make: () => Promise<QueueUnderTest>): void {
  test(`${product}: extend, ack and nak reject with LeaseLostError when the lease ran out and was given on, or the fence is old`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1));
    const old = await takeOne(queue);
    under.time.pass(30_001);
    const current = await takeOne(queue);

    await assert.rejects(queue.extend(old, 1000), LeaseLostError);
    await assert.rejects(queue.ack(old), LeaseLostError);
    await assert.rejects(queue.nak(old, { delayMs: 0, reason: 'late' }), LeaseLostError);
    await assert.rejects(queue.ack({ ...current, fence: current.fence + 1 }), LeaseLostError);
    await assert.rejects(queue.ack({ ...current, message: { ...current.message, tenant_id: b } }), LeaseLostError);

    await queue.ack(current);
    await assert.rejects(queue.ack(old), LeaseLostError);
    await assert.rejects(queue.extend(current, 1000), LeaseLostError);
    await assert.rejects(queue.nak(current, { delayMs: 0, reason: 'after the end' }), LeaseLostError);
  });

  test(`${product}: a lease that ran out and was not given on can still be extended and acked`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(2));
    const [first, second] = await take(queue, 2);
    under.time.pass(31_000);

    // A consumer of another agent type finds both leases ended and takes neither.
    assert.equal((await take(queue, 5, { agentType: 'other' })).length, 0);
    await queue.ack(first!);
    await queue.extend(second!, 30_000);

    assert.equal((await take(queue, 5)).length, 0);
    await queue.ack(second!);
    assert.equal((await queue.get(a, second!.message.task_id as TaskId))?.state, 'done');
  });

  test(`${product}: whoever gave a task back has no say in it`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1));
    const lease = await takeOne(queue);
    await queue.nak(lease, { delayMs: 0, reason: 'given back' });

    await assert.rejects(queue.ack(lease), LeaseLostError);
    await assert.rejects(queue.extend(lease, 1000), LeaseLostError);
    await assert.rejects(queue.nak(lease, { delayMs: 0, reason: 'again' }), LeaseLostError);
  });

  test(`${product}: ack ends a task, and a task acked twice with the same fence is acked once`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1));
    const lease = await takeOne(queue);

    await queue.ack(lease);
    await Promise.all([queue.ack(lease), queue.ack(lease)]);

    under.time.pass(60_000);
    assert.equal((await take(queue)).length, 0);
    const [counts] = await queue.counts();
    assert.deepEqual([counts?.ready, counts?.leased], [0, 0]);
  });

  test(`${product}: nak gives a task back after a delay; after maxDeliveries deliveries it is dead, with the last reason, not lost`, async () => {
    const under = await make();
    await using queue = await under.open();
    const put = message();
    await queue.put([{ message: put, maxDeliveries: 2 }]);

    assert.equal(await queue.nak(await takeOne(queue), { delayMs: 5000, reason: 'first' }), 'scheduled');
    assert.equal((await queue.get(a, put.task_id as TaskId))?.notBeforeMs, under.time.now() + 5000);
    assert.equal((await take(queue)).length, 0);
    under.time.pass(5000);
    assert.equal(await queue.nak(await takeOne(queue), { delayMs: 0, reason: 'second' }), 'dead');

    const facts = await queue.get(a, put.task_id as TaskId);
    assert.deepEqual([facts?.state, facts?.lastReason, facts?.deliveries], ['dead', 'second', 2]);
    assert.deepEqual(facts?.message, put);
    under.time.pass(100_000);
    assert.equal((await take(queue)).length, 0);
  });

  test(`${product}: a nak that says so makes a task dead at once`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1));

    assert.equal(await queue.nak(await takeOne(queue), { delayMs: 0, reason: 'hopeless', isDead: true }), 'dead');

    assert.equal((await queue.counts())[0]?.dead, 1);
  });

  test(`${product}: a nak that does not count leaves the deliveries as they were before, and the fence grows all the same`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1, {}, { maxDeliveries: 1 }));
    let last = 0;

    for (let round = 0; round < 5; round += 1) {
      const lease = await takeOne(queue);
      assert.equal(lease.delivery, 1);
      assert.ok(lease.fence > last);
      last = lease.fence;
      assert.equal(await queue.nak(lease, { delayMs: 0, reason: 'drain', isUncounted: true }), 'ready');
    }

    assert.equal(await queue.nak(await takeOne(queue), { delayMs: 0, reason: 'fault' }), 'dead');
  });

  test(`${product}: a task that runs its worker to death every time becomes dead as well`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1, {}, { maxDeliveries: 3 }));

    for (let delivery = 1; delivery <= 3; delivery += 1) {
      assert.equal((await takeOne(queue)).delivery, delivery);
      under.time.pass(30_001);
    }

    assert.equal((await take(queue)).length, 0);
    const [dead] = await queue.list({ state: 'dead' });
    assert.deepEqual([dead?.deliveries, dead?.state], [3, 'dead']);
    assert.match(dead?.lastReason ?? '', /lease of worker ran out/);
  });
}

function testTime(product: string, make: () => Promise<QueueUnderTest>): void {
  test(`${product}: a clock that steps back neither ends a lease early nor freezes the queue`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(2, {}, { maxDeliveries: 10 }));
    const [held, backed] = await take(queue, 2);
    await queue.nak(backed!, { delayMs: 5000, reason: 'later' });

    under.time.step(-3_600_000);
    assert.equal((await take(queue)).length, 0);
    under.time.pass(5000);
    assert.equal((await takeOne(queue)).message.task_id, backed!.message.task_id);
    await queue.put(tasks(1));
    assert.equal((await take(queue, 5)).length, 1);
    under.time.pass(25_001);
    assert.equal((await takeOne(queue)).message.task_id, held!.message.task_id);
  });

  test(`${product}: a clock that steps forward ends no lease, and what it decided does not wait when it is set back`, async () => {
    const under = await make();
    await using queue = await under.open();
    await queue.put(tasks(1, {}, { maxDeliveries: 10 }));
    const held = await takeOne(queue);

    under.time.step(86_400_000);
    assert.equal((await take(queue)).length, 0);
    await queue.extend(held, 30_000);
    await queue.put(tasks(1));
    const during = await takeOne(queue);
    await queue.nak(during, { delayMs: 1000, reason: 'during' });
    under.time.step(-86_400_000);
    under.time.pass(1000);
    assert.equal((await takeOne(queue)).message.task_id, during.message.task_id);

    under.time.pass(29_001);
    assert.equal((await takeOne(queue)).message.task_id, held.message.task_id);
  });
}
