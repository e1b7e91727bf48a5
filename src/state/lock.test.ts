import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { startChild } from '../../test/run-child.ts';
import { isClaimed, tryClaim } from './lock.ts';

function lockFile(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'lock-')), 'lock');
}

test('a lock is held once, in this process too, and free again after its release', () => {
  const file = lockFile();

  const first = tryClaim(file);
  assert.ok(first);
  assert.equal(tryClaim(file), undefined);
  assert.equal(isClaimed(file), true);
  first.release();
  first.release();

  assert.equal(isClaimed(file), false);
  using second = tryClaim(file);
  assert.ok(second);
});

test('a process that is killed loses its lock', async () => {
  const file = lockFile();
  const child = startChild(
    `import { tryClaim } from ${JSON.stringify(path.join(import.meta.dirname, 'lock.ts'))};
     globalThis.claim = tryClaim(${JSON.stringify(file)});
     console.log(globalThis.claim === undefined ? 'busy' : 'held');
     setInterval(() => {}, 1000);`,
  );
  assert.equal(await child.firstLine, 'held');
  assert.equal(tryClaim(file), undefined);
  assert.equal(isClaimed(file), true);

  child.kill('SIGKILL');
  assert.equal((await child.ended).signal, 'SIGKILL');

  assert.equal(isClaimed(file), false);
  using claim = tryClaim(file);
  assert.ok(claim);
});

test('asking whether a lock is held makes no file and does not take it', () => {
  const file = lockFile();

  assert.equal(isClaimed(file), false);

  assert.equal(fs.existsSync(file), false);
});

test('the lock file stays empty, is for its owner alone and has no file beside it', () => {
  const file = lockFile();

  using claim = tryClaim(file);

  assert.ok(claim);
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['lock']);
  assert.equal(fs.statSync(file).size, 0);
  assert.equal(fs.statSync(file).mode & 0o777, 0o600);
});

test('a lock that cannot be made is a failure that says where, not a busy lock', () => {
  const file = path.join(lockFile(), 'no', 'such', 'folder');

  assert.throws(() => tryClaim(file), { code: 'state.lock-failed', remedy: 'retry' });
});
