import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const main = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

test('a file that policy protects is not shown by a search or a listing of its folder', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-reach-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env['PATH'], HOME: dir, CLAWHOLD_CONFIG_HOME: path.join(dir, 'user') };
  const run = (...args: string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, ...args], { cwd: dir, env, encoding: 'utf8' });
  assert.equal(run('init').status, 0);
  fs.mkdirSync(path.join(dir, 'workspace', 'app'), { recursive: true });
  fs.writeFileSync(path.join(dir, 'workspace', 'app', '.env'), 'needle in a protected file\n');
  fs.writeFileSync(path.join(dir, 'workspace', 'app', 'open.txt'), 'needle in an open file\n');

  const found = run('tools', 'call', 'code.search', '--args', '{"query":"needle"}');
  const listed = run('tools', 'call', 'fs.list', '--args', '{"path":"app"}');

  assert.match(found.stdout, /needle in an open file/);
  assert.doesNotMatch(found.stdout, /protected/);
  assert.match(listed.stdout, /open\.txt/);
  assert.doesNotMatch(listed.stdout, /\.env/);
  // Sabotage: with the rule taken out of the policy, both show it.
  const policy = path.join(dir, '.clawhold', 'policies', 'platform.yaml');
  const text = fs.readFileSync(policy, 'utf8');
  fs.writeFileSync(policy, text.slice(0, text.indexOf('  - id: protected-files')));
  assert.match(run('tools', 'call', 'code.search', '--args', '{"query":"needle"}').stdout, /protected/);
  assert.match(run('tools', 'call', 'fs.list', '--args', '{"path":"app"}').stdout, /\.env/);
});
