import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { inspectQueue } from './inspect-queue.ts';
import { openQueue } from './open-queue.ts';

test('a queue whose making was cut short holds nothing, and is made whole by whoever opens it', async () => {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'inspect-queue-')), 'queue.db');
  fs.writeFileSync(file, '');

  const before = inspectQueue(file);
  await using queue = await openQueue({ driver: 'sqlite', file, clock: { now: () => Date.now() } });

  assert.deepEqual(before, []);
  assert.deepEqual(await queue.counts(), []);
  assert.deepEqual(inspectQueue(file), []);
});
