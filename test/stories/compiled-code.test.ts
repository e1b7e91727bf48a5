import assert from 'node:assert/strict';
import { spawnSync, type SpawnSyncReturns } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';

const main = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

test('an agent whose workspace holds the cache folder cannot reach the code that the next command runs', (t) => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-cache-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  const workspace = path.join(dir, 'user');
  const compiled = path.join(workspace, '.cache', 'clawhold', 'compiled');
  fs.mkdirSync(compiled, { recursive: true });
  fs.writeFileSync(path.join(compiled, 'kept.ask'), 'what V8 made\n');
  const env = { PATH: process.env['PATH'], HOME: workspace, CLAWHOLD_CONFIG_HOME: path.join(dir, 'config') };
  const run = (args: readonly string[], more: NodeJS.ProcessEnv = {}): SpawnSyncReturns<string> =>
    spawnSync(process.execPath, [main, ...args], { cwd: dir, env: { ...env, ...more }, encoding: 'utf8' });
  assert.equal(run(['init', '--template', 'scribe', '--agent', 'scribe']).status, 0);
  const file = path.join(dir, '.clawhold', 'tenants', 'default', 'agents', 'scribe', 'agent.yaml');
  fs.writeFileSync(file, 'version: 1\nworkspace: user\ngrants:\n  fs.write: {}\n  fs.read: {}\n');
  const write = (target: string, more?: NodeJS.ProcessEnv): SpawnSyncReturns<string> =>
    run(['tools', 'call', 'fs.write', '--agent', 'scribe', '--args', JSON.stringify({ path: target, content: 'mine' })], more);

  const over = write('.cache/clawhold/compiled/kept.ask');
  const beside = write('.cache/clawhold/compiled/new.ask');
  const elsewhere = write('.cache/other/file');

  assert.notEqual(over.status, 0);
  assert.notEqual(beside.status, 0);
  assert.deepEqual(fs.readdirSync(compiled), ['kept.ask']);
  assert.equal(fs.readFileSync(path.join(compiled, 'kept.ask'), 'utf8'), 'what V8 made\n');
  assert.equal(elsewhere.status, 0, elsewhere.stderr);
  // Sabotage: where the cache is said to lie elsewhere, the same file is an ordinary one.
  assert.equal(write('.cache/clawhold/compiled/kept.ask', { XDG_CACHE_HOME: path.join(dir, 'nowhere') }).status, 0);
});
