import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseAgentId, parseTenantId, newRunId } from '../contracts/ids.ts';
import { createHome, findHome } from './home.ts';

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'home-'));
}

test('a home is found from any folder below the one that holds it', () => {
  const root = scratch();
  createHome(root);
  const deep = path.join(root, 'a', 'b');
  fs.mkdirSync(deep, { recursive: true });

  const home = findHome(deep);

  assert.equal(home?.dir, path.join(root, '.clawhold'));
  assert.equal(home?.root, root);
  assert.equal(fs.statSync(home.dir).mode & 0o777, 0o700);
});

test('without a home there is none, and a file named .clawhold is not one', () => {
  const root = scratch();
  fs.writeFileSync(path.join(root, '.clawhold'), '');

  assert.equal(findHome(root), undefined);
});

test('the override names the folder itself or the one that holds it, and a wrong one is refused', () => {
  const root = scratch();
  const elsewhere = scratch();
  const { dir } = createHome(root);

  assert.equal(findHome(elsewhere, dir)?.dir, dir);
  assert.equal(findHome(elsewhere, root)?.dir, dir);
  assert.equal(findHome(elsewhere, '')?.dir, undefined);
  assert.throws(() => findHome(elsewhere, path.join(root, 'nothing')), { code: 'state.no-home' });
});

test('a home that others may write is refused when it is found by walking, and used when it is named', () => {
  const root = scratch();
  const { dir } = createHome(root);
  fs.chmodSync(dir, 0o777);

  assert.throws(() => findHome(root), { code: 'state.foreign-home' });
  assert.equal(findHome(root, dir)?.dir, dir);
  fs.chmodSync(dir, 0o700);
  assert.equal(findHome(root)?.dir, dir);
});

test('a home of another user is refused when it is found by walking', (t) => {
  if (process.geteuid?.() !== 0) {
    t.skip('only root can make a folder of another user');
    return;
  }
  const root = scratch();
  const { dir } = createHome(root);
  fs.chownSync(dir, 12345, 12345);

  assert.throws(() => findHome(root), { code: 'state.foreign-home' });
});

test('making a home where one is keeps what is in it', () => {
  const root = scratch();
  const { dir } = createHome(root);
  fs.writeFileSync(path.join(dir, 'clawhold.yaml'), 'version: 1\n');

  createHome(root);

  assert.equal(fs.readFileSync(path.join(dir, 'clawhold.yaml'), 'utf8'), 'version: 1\n');
});

test('a home that cannot be made says why', () => {
  const root = scratch();
  fs.writeFileSync(path.join(root, 'file'), '');

  assert.throws(() => createHome(path.join(root, 'file')), { code: 'state.home-not-made' });
});

test('a run lies in a folder of its day', () => {
  const home = createHome(scratch());
  const run = newRunId(Date.UTC(2026, 0, 2));
  const tenant = parseTenantId('default');

  assert.equal(home.runDir(tenant, run), path.join(home.dir, 'tenants/default/runs/2026-01-02', run));
  assert.equal(home.agentDir(tenant, parseAgentId('scout')), path.join(home.dir, 'tenants/default/agents/scout'));
});
