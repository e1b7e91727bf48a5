import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseTenantId, type TenantId } from '../contracts/ids.ts';
import { createHome, type Home } from './home.ts';
import { claimServe } from './serve-file.ts';
import { openTenants, type Tenants } from './tenants.ts';

const acme = parseTenantId('acme');
const nowMs = Date.UTC(2026, 0, 1);

function newWorld(): { readonly home: Home; readonly tenants: Tenants } {
  const home = createHome(fs.mkdtempSync(path.join(os.tmpdir(), 'tenants-')));
  return { home, tenants: openTenants(home) };
}

function fileOf(home: Home, id: TenantId = acme): string {
  return path.join(home.tenantDir(id), 'tenant.yaml');
}

test('default is there without a file, and nothing else is', () => {
  const { tenants } = newWorld();

  assert.deepEqual(tenants.list(), ['default']);
  assert.deepEqual(tenants.get(parseTenantId('default')), { id: 'default', config: { version: 1 }, isActive: true });
  assert.equal(tenants.get(acme), undefined);
  assert.throws(() => tenants.existing(acme), { code: 'state.unknown-tenant', remedy: 'fix-request' });
});

test('a made tenant has folders of its own that only the owner may enter', async () => {
  const { home, tenants } = newWorld();

  const change = await tenants.create(acme, { version: 1, title: 'Acme', quotas: { concurrentRuns: 2 } });

  assert.deepEqual(tenants.list(), ['default', 'acme']);
  assert.deepEqual(tenants.get(acme)?.config, { version: 1, title: 'Acme', quotas: { concurrentRuns: 2 } });
  assert.equal(change.file, 'tenants/acme/tenant.yaml');
  assert.notEqual(home.tenantRoot(acme), home.tenantRoot(parseTenantId('default')));
  for (const dir of [home.tenantDir(acme), home.tenantRoot(acme)]) assert.equal(fs.statSync(dir).mode & 0o777, 0o700);
  assert.equal(fs.statSync(fileOf(home)).mode & 0o777, 0o600);
});

test('a tenant id is a name and never a path', () => {
  for (const id of [
    '..',
    '.',
    'a/b',
    '../default',
    'a\\b',
    'a\0',
    'A',
    '1a',
    '-a',
    '',
    'a..',
    'a b',
    'ａcme',
    'acme\n',
    '%2e%2e',
    'a'.repeat(64),
  ])
    assert.throws(() => parseTenantId(id), { code: 'contracts.bad-id' }, JSON.stringify(id));
});

test('sabotage: a traversal that was cast to an id makes and reads nothing', async () => {
  const { home, tenants } = newWorld();
  const before = fs.readdirSync(path.dirname(home.dir));
  const evil = '../../x' as TenantId;

  assert.throws(() => tenants.get(evil), { code: 'contracts.bad-id' });
  await assert.rejects(tenants.create(evil), { code: 'contracts.bad-id' });
  await assert.rejects(
    tenants.edit(evil, () => {}),
    { code: 'contracts.bad-id' },
  );
  assert.throws(() => tenants.remove(evil, { nowMs, isErased: true }), { code: 'contracts.bad-id' });
  assert.deepEqual(fs.readdirSync(path.dirname(home.dir)), before);
});

test('a name is taken once, also by two at the same moment', async () => {
  const { tenants } = newWorld();

  const made = await Promise.allSettled([tenants.create(acme), tenants.create(acme), tenants.create(acme)]);

  assert.equal(made.filter(({ status }) => status === 'fulfilled').length, 1);
  await assert.rejects(tenants.create(acme), { code: 'state.tenant-exists' });
  await assert.rejects(tenants.create(parseTenantId('default')), { code: 'state.tenant-exists' });
});

test('what lies in a folder without a tenant.yaml is nobody’s to inherit', async () => {
  const { home, tenants } = newWorld();
  fs.mkdirSync(path.join(home.tenantDir(acme), 'runs'), { recursive: true });
  const beta = parseTenantId('beta');
  fs.mkdirSync(home.tenantRoot(beta), { recursive: true });

  assert.deepEqual(tenants.list(), ['default']);
  for (const id of [acme, beta]) await assert.rejects(tenants.create(id), { code: 'state.tenant-left-over' });
});

test('a wrong file is told with its line, starts nothing, and can be corrected', async () => {
  const { home, tenants } = newWorld();
  await tenants.create(acme);
  fs.writeFileSync(fileOf(home), 'version: 1\nquotas:\n  concurrentRun: 2\n');

  assert.throws(() => tenants.get(acme), /tenants\/acme\/tenant\.yaml.*concurrentRun/s);
  assert.deepEqual(tenants.list(), ['default', 'acme']);
  await tenants.edit(acme, (editor) => void editor.remove(['quotas']));
  assert.equal(tenants.get(acme)?.isActive, true);
});

test('an edit keeps comments, is checked before it is written, and names both hashes', async () => {
  const { home, tenants } = newWorld();
  await tenants.create(acme);
  fs.appendFileSync(fileOf(home), '# ours\n');

  const change = await tenants.edit(acme, (editor) => editor.set(['state'], 'suspended'));
  await assert.rejects(tenants.edit(acme, (editor) => editor.set(['weight'], 0)));
  await assert.rejects(
    tenants.edit(parseTenantId('ghost'), () => {}),
    { code: 'state.unknown-tenant' },
  );

  assert.equal(tenants.get(acme)?.isActive, false);
  assert.match(fs.readFileSync(fileOf(home), 'utf8'), /# ours/);
  assert.ok(change.before !== undefined && change.before !== change.after);
});

test('a link in place of a tenant’s folder or file is refused', async () => {
  const { home, tenants } = newWorld();
  await tenants.create(acme);
  const beta = parseTenantId('beta');
  fs.symlinkSync(home.tenantDir(acme), home.tenantDir(beta));
  const gamma = parseTenantId('gamma');
  fs.mkdirSync(home.tenantDir(gamma));
  fs.symlinkSync(fileOf(home), fileOf(home, gamma));

  for (const id of [beta, gamma]) assert.throws(() => tenants.get(id), { code: 'state.bad-tenant' });
});

test('a removed tenant is out of reach of a new one of its name, and kept until it is erased', async () => {
  const { home, tenants } = newWorld();
  await tenants.create(acme, { version: 1, title: 'first' });
  fs.mkdirSync(path.join(home.tenantDir(acme), 'runs'));
  fs.writeFileSync(path.join(home.tenantRoot(acme), 'secret.txt'), 'of the first');

  const kept = tenants.remove(acme, { nowMs, isErased: false });
  await tenants.create(acme, { version: 1, title: 'second' });

  assert.deepEqual(fs.readdirSync(home.tenantDir(acme)), ['tenant.yaml']);
  assert.deepEqual(fs.readdirSync(home.tenantRoot(acme)), []);
  assert.equal(fs.readFileSync(path.join(kept[1]!, 'secret.txt'), 'utf8'), 'of the first');
  assert.equal(tenants.get(acme)?.config.title, 'second');
  assert.deepEqual(tenants.remove(acme, { nowMs: nowMs + 1, isErased: true }), []);
  const graves = fs.readdirSync(home.deletedDir).map((grave) => fs.readdirSync(path.join(home.deletedDir, grave)));
  assert.deepEqual(graves, [['root', 'tenant'], []]);
});

test('while the server runs that knew a deleted tenant, its name is not given again', async () => {
  const { home, tenants } = newWorld();
  const nameAgain = async (): Promise<string> =>
    await tenants.create(acme).then(
      () => 'made',
      ({ code }: { code: string }) => code,
    );
  await tenants.create(acme);
  const serve = claimServe(home.dir)!;
  await serve.announce({ pid: 1, url: 'http://127.0.0.1:1', startedMs: nowMs - 1, version: '0' });
  tenants.remove(acme, { nowMs, isErased: true });

  const whileServed = await nameAgain();
  await serve.announce({ pid: 1, url: 'http://127.0.0.1:1', startedMs: nowMs + 1, version: '0' });
  const afterRestart = await nameAgain();
  await serve[Symbol.asyncDispose]();

  assert.deepEqual([whileServed, afterRestart], ['state.tenant-deleted', 'made']);
});

test('default cannot be removed, nor what is not there', () => {
  const { tenants } = newWorld();

  assert.throws(() => tenants.remove(parseTenantId('default'), { nowMs, isErased: false }), { code: 'state.default-tenant' });
  assert.throws(() => tenants.remove(acme, { nowMs, isErased: false }), { code: 'state.unknown-tenant' });
});
