import assert from 'node:assert/strict';
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { test } from 'node:test';
import { findOnlyChild, identifyParent } from './process-identity.ts';

async function shellWith(count: number): Promise<ChildProcess> {
  const line = `${'sleep 60 & '.repeat(count)} echo ready; read line; kill $(jobs -p) 2>/dev/null`;
  const shell = spawn('sh', ['-c', line], { stdio: ['pipe', 'pipe', 'ignore'] });
  await once(shell.stdout, 'data');
  return shell;
}

test('the only child of a process is found; none, several and no process are told apart from it', async () => {
  const shells = await Promise.all([0, 1, 2].map(async (count) => shellWith(count)));

  const found = shells.map(({ pid }) => findOnlyChild(pid ?? -1));
  const parent = identifyParent(found[1] ?? -1);
  for (const shell of shells) shell.stdin?.end('\n');
  await Promise.all(shells.map(async (shell) => once(shell, 'close')));

  assert.deepEqual([found[0], found[2], findOnlyChild(2 ** 30)], [-1, -1, -1]);
  assert.ok((found[1] ?? -1) > 1);
  assert.equal(parent?.pid, shells[1]?.pid);
});
