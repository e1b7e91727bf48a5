import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import type { FixRequestError } from '../contracts/errors.ts';
import { parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { createHome } from '../state/home.ts';
import { refuseForeignFolders, refuseLinkedRepo } from './foreign-folders.ts';

const tenant = parseTenantId('acme');
const agent = parseAgentId('main');

test('a folder of another tenant is refused also through a link to what is not there yet, and the refusal tells a tenant no place', (t) => {
  const base = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'foreign-')));
  t.after(() => fs.rmSync(base, { recursive: true }));
  const home = createHome(base);
  const root = home.tenantRoot(tenant);
  fs.mkdirSync(path.join(root, 'own'), { recursive: true });
  fs.symlinkSync('../beta/soon', path.join(root, 'beta'));
  fs.symlinkSync('own', path.join(root, 'alias'));
  fs.symlinkSync('circle', path.join(root, 'circle'));
  const errorOf = (name: string, refuse: (workspace: string) => void): FixRequestError | undefined => {
    try {
      refuse(path.join(root, name));
      return undefined;
    } catch (error) {
      return error as FixRequestError;
    }
  };
  const foreign = (name: string): FixRequestError | undefined =>
    errorOf(name, (workspace) => refuseForeignFolders(home, { tenant, agent, config: { version: 1 }, workspace }));
  const linked = (name: string): FixRequestError | undefined => errorOf(name, (workspace) => refuseLinkedRepo(home, { tenant, workspace }));

  const refused = ['own', 'own/new', 'alias', 'beta', 'beta/deep', 'circle', '../beta'].map(foreign);
  const links = ['own', 'own/new', 'alias', 'beta', 'circle'].map(linked);

  assert.deepEqual(
    refused.map((error) => error?.code),
    [undefined, undefined, undefined, ...Array(4).fill('worker.foreign-root')],
  );
  assert.deepEqual(
    links.map((error) => error?.code),
    [undefined, undefined, ...Array(3).fill('worker.linked-repo')],
  );
  for (const error of [...refused, ...links]) {
    assert.ok(error?.publicMessage.includes(base) !== true, error?.publicMessage);
    assert.ok(error === undefined || error.message.includes(base));
  }
});
