import { mkdtempSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { TestTime, testQueue, type QueueUnderTest } from './conformance.ts';
import { testQueueChaos } from './chaos.ts';
import { openQueue, type QueueOptions } from '../open-queue.ts';
import type { Queue } from '../queue.ts';
import { runQueueProcess } from './fixtures/queue-process.ts';
import { openSqliteQueue } from './sqlite.ts';

async function makeQueue(openIt: (options: QueueOptions) => Promise<Queue>): Promise<QueueUnderTest> {
  const file = path.join(mkdtempSync(path.join(os.tmpdir(), 'queue-')), 'queue.db');
  const time = new TestTime();
  const clocks = (): { wallMs: number; monotonicMs: number } => ({ wallMs: time.wallMs, monotonicMs: time.monotonicMs });
  return {
    time,
    open: () => openIt({ driver: 'sqlite', file, clock: time, monotonicMs: () => time.monotonicMs }),
    inKilledProcess: async (script, message) => {
      await runQueueProcess({ file, ...clocks(), script: `${script}-and-die`, message, times: 1 });
    },
    putInProcess: (message, times) => runQueueProcess({ file, ...clocks(), script: 'put', message, times }),
  };
}

testQueue('sqlite', () => makeQueue(openQueue));
// What is asked for one by one is the caller's thread's otherwise.
testQueue('sqlite by its thread alone', () => makeQueue(async (options) => openSqliteQueue(options, { isNeverLone: true })));

testQueueChaos('sqlite', () => ({ driver: 'sqlite', file: path.join(mkdtempSync(path.join(os.tmpdir(), 'queue-')), 'queue.db') }), {
  tasks: 400,
  putters: 2,
  workers: 2,
  kills: 10,
  leaseMs: 500,
});
