import { test } from 'node:test';
import { survive } from '../stories/serve-chaos.ts';

// Long, not privileged: 10,000 tasks and 100 kills take minutes.
test('100 kills of a server under load of 10,000 tasks: none is lost, none has two effects, the ledger verifies', async () => {
  await survive({ tasks: 10_000, kills: 100, executors: 0, everyMs: 1000 });
});
