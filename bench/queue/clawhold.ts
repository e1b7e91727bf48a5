import { newTaskId } from '../../src/contracts/ids.ts';
import { systemClock } from '../../src/contracts/clock.ts';
import { openQueue } from '../../src/state/open-queue.ts';
import type { PutTask, Queue } from '../../src/state/queue.ts';
import type { Contender } from './contender.ts';

let made = 0;

export function benchTask(tenant = 'default', rest: Omit<PutTask, 'message'> = {}): PutTask {
  made += 1;
  return {
    ...rest,
    message: {
      tenant_id: tenant,
      swarm_id: 'bench',
      agent_type: 'agent',
      shard_id: 0,
      task_id: newTaskId(Date.now()),
      payload: { text: 'x'.repeat(200) },
      idempotency_key: `key-${made}`,
    },
  };
}

export const leaseOf = (max: number): Parameters<Queue['lease']>[0] => ({ worker: 'bench', leaseMs: 600_000, max });

export async function takeAll(queue: Queue, count: number, max: number): Promise<void> {
  for (let done = 0; done < count;) {
    const leases = await queue.lease(leaseOf(Math.min(max, count - done)));
    if (leases.length === 0) throw new Error(`${done} of ${count} tasks were there`);
    await Promise.all(leases.map((lease) => queue.ack(lease)));
    done += leases.length;
  }
}

export async function openClawhold(file: string): Promise<Contender & { readonly queue: Queue }> {
  const queue = await openQueue({ driver: 'sqlite', file, clock: systemClock });
  return {
    name: 'Clawhold',
    queue,
    add: () => queue.put([benchTask()]),
    drainOneByOne: (count) => takeAll(queue, count, 1),
    drainGrouped: (count) => takeAll(queue, count, 100),
    consume: async (onStart) => consume(queue, onStart),
    [Symbol.asyncDispose]: () => queue[Symbol.asyncDispose](),
  };
}

function consume(queue: Queue, onStart: () => void): AsyncDisposable {
  const stop = new AbortController();
  const loop = async (): Promise<void> => {
    while (!stop.signal.aborted) {
      const [lease] = await queue.lease(leaseOf(1));
      if (lease === undefined) await queue.waitForWork({}, 60_000, stop.signal);
      else {
        onStart();
        await queue.ack(lease);
      }
    }
  };
  const ended = loop();
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await ended;
    },
  };
}
