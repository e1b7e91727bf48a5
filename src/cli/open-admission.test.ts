import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { test } from 'node:test';
import { parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { silentLog } from '../contracts/log.ts';
import type { Principal } from '../contracts/principal.ts';
import { admit } from '../control/admit.ts';
import { admittedOr } from '../gateway/admission-reply.ts';
import type { RequestRefusedError } from '../gateway/request-refused-error.ts';
import { monotonicMs, systemClock } from '../contracts/clock.ts';
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

test('an edit acts on the next request, whatever was kept: of the same length, with its old times, and right after another one', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'admission-'));
  const home = createHome(root);
  const tenant = parseTenantId('default');
  await makeAgent(home, { tenant, agent: main, template: 'scribe' });
  await using app = wire({ env: { CLAWHOLD_CONFIG_HOME: path.join(root, 'user') }, cwd: root });
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: systemClock });
  const { prepare } = openAdmission({ home, database: await app.database(), queue, clock: systemClock, log: silentLog, appOf: () => app });
  const policyNow = async (): Promise<string> => (await prepare({ tenant, agent: main, sinceMs: monotonicMs() })).policy;
  const files = [path.join(home.agentDir(tenant, main), 'agent.yaml'), path.join(home.dir, 'policies', 'platform.yaml')];
  for (const file of files) {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    const text = file.endsWith('agent.yaml') ? fs.readFileSync(file, 'utf8') : 'version: 1\n';
    const write = (letter: string): void => {
      const { atimeMs, mtimeMs } = fs.statSync(file, { throwIfNoEntry: false }) ?? { atimeMs: 0, mtimeMs: 0 };
      fs.writeFileSync(file, `${text}# ${letter}\n`);
      fs.utimesSync(file, atimeMs / 1000, mtimeMs / 1000);
    };
    write('a');
    await delay(150);
    const kept = await policyNow();
    assert.equal(await policyNow(), kept);

    write('b');
    const second = await policyNow();
    write('c');
    const third = await policyNow();

    assert.equal(new Set([kept, second, third]).size, 3, file);
  }
});

test('a request over HTTP may name the agent’s model, the configuration’s and those of llm.yaml with a price; any other is 403', async () => {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'admission-'));
  const home = createHome(root);
  await makeAgent(home, { tenant: parseTenantId('default'), agent: main, template: 'scribe' });
  fs.appendFileSync(path.join(home.agentDir(parseTenantId('default'), main), 'agent.yaml'), 'model: scripted/hello\n');
  fs.writeFileSync(path.join(home.dir, 'clawhold.yaml'), 'version: 1\nmodel: openai/gpt-4o-mini\n');
  const models = '{ openai/gpt-4o: {}, openai/new: { contextTokens: 1000 }, openai/dear: { inputPer1M: 1, outputPer1M: 2 } }';
  fs.writeFileSync(path.join(home.dir, 'llm.yaml'), `version: 1\nproviders: {}\nmodels: ${models}\n`);
  const env = { CLAWHOLD_CONFIG_HOME: path.join(root, 'user'), OPENAI_API_KEY: 'made-up', MISTRAL_API_KEY: 'made-up' };
  await using app = wire({ env, cwd: root });
  await using queue = await openQueue({ driver: 'sqlite', file: path.join(home.dir, 'queue.db'), clock: systemClock });
  const ctx = openAdmission({ home, database: await app.database(), queue, clock: systemClock, log: silentLog, appOf: () => app });
  const principal: Principal = { kind: 'service', id: 'tok_1', tenant: parseTenantId('default'), roles: ['submitter'] };
  const named = [
    'scripted/hello',
    'openai/gpt-4o-mini',
    'openai/gpt-4o',
    'openai/new',
    'openai/dear',
    'mistral/codestral-2501',
    'scripted/demo',
  ];

  const answers = await Promise.all(
    named.map(async (model) => {
      const admission = await admit(ctx, principal, { agent: main, input: 'hello', door: 'http', model });
      try {
        return [model, admittedOr(admission).isNew];
      } catch (error) {
        const { status, code } = error as RequestRefusedError;
        return [model, `${status} ${code}`];
      }
    }),
  );

  assert.deepEqual(Object.fromEntries(answers), {
    'scripted/hello': true,
    'openai/gpt-4o-mini': true,
    'openai/gpt-4o': true,
    'openai/new': '403 control.model-unpriced',
    'openai/dear': true,
    // Priced, and the environment has its key: nobody wrote it down.
    'mistral/codestral-2501': '403 control.model-not-allowed',
    'scripted/demo': '403 control.model-not-allowed',
  });
});
