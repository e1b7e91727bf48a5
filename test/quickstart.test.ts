import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { fencedBlocks } from './documents/read-markdown.ts';

const root = path.join(import.meta.dirname, '..');
const page = readFileSync(path.join(root, 'docs', 'quickstart.md'), 'utf8');

test('the quickstart has commands to run', () => {
  assert.ok(fencedBlocks(page, 'sh').length >= 4);
});

test('every command of the quickstart works in an empty folder, offline and without a terminal', (t) => {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'quickstart-'));
  t.after(() => rmSync(folder, { recursive: true }));
  const script = `set -eu\n${fencedBlocks(page, 'sh').join('\n')}`;

  const ran = spawnSync('sh', ['-c', script], {
    cwd: folder,
    encoding: 'utf8',
    input: '',
    timeout: 120_000,
    env: { PATH: `${root}/bin:/usr/local/bin:/usr/bin:/bin`, HOME: folder },
  });

  assert.equal(ran.status, 0, `${ran.stdout}\n${ran.stderr}`);
  assert.match(ran.stdout, /^Launch: Tuesday\.$/m);
  assert.match(ran.stdout, /To allow it, add this line/);
  assert.match(ran.stdout, /^Job main-1 starts agent main at 0 2 \* \* \* \(Europe\/Berlin\), next at /m);
  assert.match(ran.stdout, /Job main-1 is queued/);
  assert.equal(existsSync(path.join(folder, 'playground', 'workspace', 'summary.md')), false);
});
