import { test } from 'node:test';
import { survive } from '../stories/serve-chaos.ts';

/** Not privileged, but long: `make soak` does it with 10,000 tasks and 100 kills, of the server and then of executors too. */
const isSoak = process.env['CLAWHOLD_SOAK'] === '1';
const whole = { tasks: 10_000, kills: 100 };

test('a server that is killed every second under thousands of tasks loses none and does none twice, and the ledger verifies', async () => {
  await survive({ ...(isSoak ? whole : { tasks: 1_500, kills: 30 }), executors: 0, everyMs: 1000 });
});

test('executors and their server that are killed in turn every second under many tasks lose none and do none twice', async () => {
  await survive({ ...(isSoak ? whole : { tasks: 800, kills: 12 }), executors: 2, everyMs: 1000 });
});
