import { test } from 'node:test';
import { survive } from '../stories/serve-chaos.ts';

/** Not privileged, but long: `make soak` does it with 10,000 tasks and 100 kills, of the server and then of executors too. */
const isSoak = process.env['CLAWHOLD_SOAK'] === '1';
const [tasks, kills] = isSoak ? [10_000, 100] : [1_500, 30];

test('a server that is killed every second under thousands of tasks loses none and does none twice, and the ledger verifies', async () => {
  await survive({ tasks, kills, executors: 0, everyMs: 1000 });
});

test(
  'executors and their server that are killed in turn every second under thousands of tasks lose none and do none twice',
  {
    skip: isSoak ? false : 'only make soak does it: test/stories does the same with fewer tasks',
  },
  async () => {
    await survive({ tasks, kills, executors: 2, everyMs: 1000 });
  },
);
