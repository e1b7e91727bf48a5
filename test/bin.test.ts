import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { TestContext } from 'node:test';

const project = path.join(import.meta.dirname, '..');

function clone(t: TestContext): string {
  const root = mkdtempSync(path.join(os.tmpdir(), 'bin-'));
  t.after(() => rmSync(root, { recursive: true, force: true }));
  cpSync(path.join(project, 'bin'), path.join(root, 'bin'), { recursive: true });
  mkdirSync(path.join(root, 'src', 'cli'), { recursive: true });
  writeFileSync(
    path.join(root, 'src', 'cli', 'main.ts'),
    'const shown: string[] = process.argv.slice(2);\nconsole.log(JSON.stringify(shown));\n',
  );
  return root;
}

test('bin/clawhold in a clone without node_modules says in one sentence to run npm ci', (t) => {
  const root = clone(t);

  const ran = spawnSync(path.join(root, 'bin', 'clawhold'), ['--version'], { encoding: 'utf8' });

  assert.equal(ran.status, 2);
  assert.equal(ran.stdout, '');
  assert.match(ran.stderr, /^Clawhold cannot start: .*node_modules is missing, .* Run "npm ci" in .*\n$/);
});

test('bin/clawhold runs the source with the Node of the clone, through a symlink and with any argument', (t) => {
  const root = clone(t);
  mkdirSync(path.join(root, 'node_modules', '.bin'), { recursive: true });
  symlinkSync(process.execPath, path.join(root, 'node_modules', '.bin', 'node'));
  symlinkSync(path.join(root, 'bin', 'clawhold'), path.join(root, 'linked'));

  const ran = spawnSync(path.join(root, 'linked'), ['ask', 'a "b" $(c) *'], {
    encoding: 'utf8',
    cwd: os.tmpdir(),
    env: { PATH: '/usr/bin:/bin' },
  });

  assert.equal(ran.stderr, '');
  assert.deepEqual(JSON.parse(ran.stdout), ['ask', 'a "b" $(c) *']);
});

test('bin/clawhold refuses a machine whose only Node is too old', (t) => {
  const root = clone(t);
  mkdirSync(path.join(root, 'node_modules'));
  mkdirSync(path.join(root, 'path'));
  writeFileSync(path.join(root, 'path', 'node'), '#!/bin/sh\nexit 1\n', { mode: 0o755 });

  const ran = spawnSync(path.join(root, 'bin', 'clawhold'), [], { encoding: 'utf8', env: { PATH: `${root}/path:/usr/bin:/bin` } });

  assert.equal(ran.status, 2);
  assert.match(ran.stderr, /^Clawhold cannot start: it needs Node 24 or newer, .* Install Node 24\.\n$/);
});
