import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { claimServe, readServeState, type ServeFacts } from './serve-file.ts';

const facts: ServeFacts = { pid: process.pid, url: 'http://127.0.0.1:8787', startedMs: 1, version: '0.1.0' };

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'serve-file-'));
}

test('a home is served by one process at a time, and readers see who it is', async () => {
  const dir = scratch();

  const claim = claimServe(dir);
  await claim?.announce(facts);

  assert.equal(claimServe(dir), undefined);
  assert.deepEqual(readServeState(dir), { isAlive: true, facts });
  assert.equal(fs.statSync(path.join(dir, 'serve.json')).mode & 0o777, 0o600);
  await claim?.[Symbol.asyncDispose]();
  assert.deepEqual(readServeState(dir), { isAlive: false });
});

test('a server that was killed is not alive, although its file and a process with its pid are there', async () => {
  const dir = scratch();
  const program = `
    const { claimServe } = await import(${JSON.stringify(path.join(import.meta.dirname, 'serve-file.ts'))});
    const claim = claimServe(${JSON.stringify(dir)});
    await claim.announce(${JSON.stringify(facts)});
    console.log('serving');
    setInterval(() => claim, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout, 'data');
  const before = readServeState(dir);

  child.kill('SIGKILL');
  await once(child, 'exit');

  assert.deepEqual(before, { isAlive: true, facts });
  assert.deepEqual(readServeState(dir), { isAlive: false, facts });
  assert.notEqual(claimServe(dir), undefined);
});

test('a file that is no such record says nothing', () => {
  const dir = scratch();
  fs.writeFileSync(path.join(dir, 'serve.json'), '{"pid":"root"}');

  assert.deepEqual(readServeState(dir), { isAlive: false });
});
