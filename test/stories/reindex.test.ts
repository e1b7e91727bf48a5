import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const main = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

test('a home whose database was lost lists its runs again, also one that was interrupted', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-reindex-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const env = { PATH: process.env['PATH'], HOME: dir, CLAWHOLD_CONFIG_HOME: path.join(dir, 'user') };
  const run = (...args: string[]): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, ...args], { cwd: dir, env, encoding: 'utf8' });
  const listed = (): { id: string; inputPreview: string }[] => JSON.parse(run('runs', 'list', '--json').stdout).runs;
  run('init');
  run('ask', 'first');
  run('ask', 'second');
  const before = listed();
  const home = path.join(dir, '.clawhold');
  for (const name of fs.readdirSync(home).filter((one) => one.startsWith('state.db'))) fs.rmSync(path.join(home, name));
  const [day = ''] = fs.readdirSync(path.join(home, 'tenants', 'default', 'runs'));
  fs.rmSync(path.join(home, 'tenants', 'default', 'runs', day, before[0]!.id, 'run.json'));

  assert.deepEqual(listed(), []);
  const rebuilt = run('runs', 'reindex', '--json');

  assert.equal(rebuilt.status, 0, rebuilt.stdout);
  assert.deepEqual(JSON.parse(rebuilt.stdout), { ok: true, found: 2, problems: [] });
  assert.deepEqual(
    listed().map(({ id, inputPreview }) => ({ id, inputPreview })),
    before.map(({ id, inputPreview }) => ({ id, inputPreview })),
  );
});
