import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { silentLog } from '../../contracts/log.ts';
import { endOrphans } from './end-orphans.ts';

const skip = process.platform === 'linux' ? false : 'only Linux tells whose child a process is';

async function started(...args: readonly string[]): Promise<ChildProcess> {
  const child = spawn(process.execPath, ['-e', 'console.log(1); setInterval(() => {}, 1000)', '--', ...args], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  await once(child.stdout, 'data');
  return child;
}

test('an executor that is no server’s child any more is killed, and a process that only has its number is not', { skip }, async () => {
  const orphan = await started('serve', '--role', 'executor', '--slot', '0');
  const stranger = await started('something', 'else');
  const gone = await started('serve', '--role', 'executor');
  gone.kill('SIGKILL');
  await once(gone, 'exit');

  using _ending = endOrphans({ pids: [stranger.pid!, gone.pid!, orphan.pid!], log: silentLog, afterMs: 1 });
  const [, signal] = await once(orphan, 'exit');
  const wasLeft = stranger.exitCode === null && stranger.signalCode === null;
  stranger.kill('SIGKILL');

  assert.deepEqual([signal, wasLeft], ['SIGKILL', true]);
});

test('an executor whose parent is a server, of whichever home, is not killed', { skip }, async () => {
  const program = `
    const child = require('node:child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)', '--', 'serve', '--role', 'executor'], { stdio: 'ignore' });
    console.log(child.pid);
    process.on('SIGTERM', () => { child.kill('SIGKILL'); process.exit(0); });
    child.on('exit', () => process.exit(3));
    setInterval(() => {}, 1000);`;
  const server = spawn(process.execPath, ['-e', program, '--', 'serve'], { stdio: ['ignore', 'pipe', 'ignore'] });
  const pid = Number(String((await once(server.stdout, 'data'))[0]));
  const orphan = await started('serve', '--role', 'executor');

  using _ending = endOrphans({ pids: [pid, orphan.pid!], log: silentLog, afterMs: 1 });
  await once(orphan, 'exit');
  server.kill('SIGTERM');
  const [code] = await once(server, 'exit');

  assert.equal(code, 0, 'its child was there to the end');
});
