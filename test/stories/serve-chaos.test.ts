import { test } from 'node:test';
import { survive } from './serve-chaos.ts';

test('a server that is killed again and again under load loses no run and does none twice', async () => {
  await survive({ tasks: 120, kills: 3, executors: 0, everyMs: 400 });
});

test('executors and their server that are killed in turn under load lose no run and do none twice', async () => {
  await survive({ tasks: 40, kills: 3, executors: 2, everyMs: 500 });
});
