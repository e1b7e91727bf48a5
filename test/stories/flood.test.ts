import assert from 'node:assert/strict';
import { test } from 'node:test';
import { startOpenAiServer } from '../servers/openai-server.ts';
import { newInstallation, type Installation } from './installation.ts';
import { serveHome, type Served } from './served.ts';

const many = 60;

async function tenantWithToken(one: Installation, tenant: string): Promise<Record<string, string>> {
  await one.cli(['tenants', 'create', tenant]);
  for (const file of ['agent.yaml', 'SOUL.md']) one.write(`.clawhold/tenants/${tenant}/agents/main/${file}`, one.read(one.agentFile(file)));
  const { json } = await one.cli(['tokens', 'create', '--tenant', tenant, '--role', 'admin', '--json']);
  return { authorization: `Bearer ${json.secret}` };
}

/** A tenant's tasks that did not end yet. */
async function openTasks(served: Served, who: Record<string, string>): Promise<number> {
  const { json } = await served.ask('GET', '/api/v1/queue', undefined, who);
  return json.queues.reduce((sum: number, { ready, leased }: Record<string, number>) => sum + ready! + leased!, 0);
}

test('a tenant that floods the server delays a run of another by a few of its own, and a quota refuses the rest of the flood', async () => {
  await using server = await startOpenAiServer({ respond: () => ({ text: 'over', latencyMs: 40 }) });
  using one = newInstallation({
    openAi: server.baseUrl,
    clawholdYaml: 'model: test/model\nserve: { drainSeconds: 0, executors: { concurrency: 1 } }\n',
  });
  const [flood, calm] = [await tenantWithToken(one, 'acme'), await tenantWithToken(one, 'beta')];
  await one.cli(['tenants', 'set', 'acme', 'quotas.queuedTasks', String(many)]);
  await using served = await serveHome(one);
  const post = async (who: Record<string, string>): Promise<{ status: number; code?: string; run?: string }> => {
    const { status, json } = await served.ask('POST', '/api/v1/runs', { agent: 'main', input: 'hello' }, who);
    return { status, ...json };
  };

  const answers = await Promise.all(Array.from({ length: 2 * many }, async () => await post(flood)));
  const before = await openTasks(served, flood);
  const { run } = await post(calm);
  const { json } = await served.ask('GET', `/api/v1/runs/${run}?wait=30`, undefined, calm);
  const after = await openTasks(served, flood);

  assert.deepEqual(new Set(answers.map(({ status, code }) => `${status} ${code ?? ''}`)), new Set(['202 ', '429 control.over-quota']));
  assert.equal(json.run.state, 'done');
  assert.ok(before > 20 && before - after <= 10, `${before - after} of ${before} tasks of the flood went first`);
});
