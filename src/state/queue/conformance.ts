import type { QueueUnderTest } from './fixtures/queue-world.ts';
import { testDurability } from './fixtures/test-durability.ts';
import { testEnds } from './fixtures/test-ends.ts';
import { testLeases } from './fixtures/test-leases.ts';
import { testOperation } from './fixtures/test-operation.ts';
import { testOrder } from './fixtures/test-order.ts';
import { testTime } from './fixtures/test-time.ts';

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
