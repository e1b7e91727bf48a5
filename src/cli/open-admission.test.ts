import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { silentLog } from '../contracts/log.ts';
import type { Principal } from '../contracts/principal.ts';
import { admit } from '../control/admit.ts';
import { systemClock } from '../contracts/clock.ts';
import { createHome } from '../state/home.ts';
import { openQueue } from '../state/open-queue.ts';
import { openTenants } from '../state/tenants.ts';
import { makeAgent } from './make-agent.ts';
import { openAdmission } from './open-admission.ts';
import { wire } from './wire.ts';

const acme = parseTenantId('acme');
const main = parseAgentId('main');

test('admission on a real installation follows its files: agent, policy, quota and secrets as they are now', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'admission-'));
  const home = createHome(root);
  await openTenants(home).create(acme);
  await makeAgent(home, { tenant: acme, agent: main, template: 'scribe' });
  await using app = wire({ env: { CLAWHOLD_CONFIG_HOME: path.join(root, 'user') }, cwd: root, tenant: acme });
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: systemClock });
  const ctx = openAdmission({ home, database: await app.database(), queue, clock: systemClock, log: silentLog, appOf: () => app });
  const principal: Principal = { kind: 'service', id: 'tok_1', tenant: acme, roles: ['submitter'] };
  const codes: string[] = [];
  const ask = async (): Promise<void> => {
    const answer = await admit(ctx, principal, { agent: main, input: 'hello', door: 'http' });
    codes.push(answer.outcome === 'admitted' ? 'admitted' : answer.code);
  };
  const policy = path.join(home.tenantDir(acme), 'policy.yaml');

  await ask();
  fs.writeFileSync(policy, 'version: 1\nrules: [{ id: a, alow: "*" }]\n');
  await ask();
  fs.writeFileSync(policy, 'version: 1\nrules: [{ id: a, allow: "*" }]\n');
  await ask();
  fs.writeFileSync(path.join(home.agentDir(acme, main), 'agent.yaml'), 'version: 1\nworkspace: ../other\n');
  await ask();
  fs.rmSync(home.agentDir(acme, main), { recursive: true });
  await ask();

  assert.deepEqual(codes, ['admitted', 'control.agent-invalid', 'admitted', 'control.agent-invalid', 'control.unknown-agent']);
});
