import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import * as z from 'zod/mini';
import { newRunId, parseAgentId, parseTenantId } from '../contracts/ids.ts';
import { taskIdOf } from '../contracts/task.ts';
import { openWorld, type Answer, type GatewayWorld } from './fixtures/gateway-world.ts';
import { routeTable } from './route-table.ts';

const names = ['alpha', 'beta', 'delta', 'eta', 'gamma', 'theta', 'zeta'];
const home = parseTenantId('default');

/** Seven of everything in tenant `default`, and one of what a tenant can have in another. */
async function filledWorld(t: Parameters<typeof openWorld>[0]): Promise<GatewayWorld> {
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    agents: {
      ...ctx.agents,
      list: async () => names.toReversed().map((one) => ({ agent: parseAgentId(one), description: '', grants: [] })),
    },
    projects: async () => names.map((id) => ({ id, title: '', repo: id, dir: `/srv/${id}`, root: '/srv', lanes: [], tags: [] })),
    tenants: { ...ctx.tenants, list: () => names.map(parseTenantId) },
  }));
  for (const tenant of [home, parseTenantId('acme')]) {
    const token = world.token('admin', tenant);
    const workflows = join(world.home.tenantDir(tenant), 'workflows');
    fs.mkdirSync(workflows, { recursive: true });
    for (const one of tenant === home ? names : ['other']) {
      world.addApproval(world.addRun({ tenant, state: 'waiting' }));
      await putTask(world, tenant);
      fs.writeFileSync(join(workflows, `${one}.yaml`), 'version: 1\nsteps: [{ agent: main, message: Go. }]\n');
      await world.ask('POST', '/api/v1/tokens', { token, body: { roles: ['viewer'] } });
      await world.ask('POST', `/api/v1/workflows/${one}/run`, { token, body: {} });
      await world.ask('POST', '/api/v1/schedules', { token, body: { id: one, agent: 'main', message: 'x', when: { every: '1h' } } });
      await world.ask('POST', `/api/v1/schedules/${tenant === home ? 'alpha' : 'other'}/run`, { token });
    }
  }
  return world;
}

async function putTask(world: GatewayWorld, tenant: string): Promise<void> {
  const run = newRunId(Date.now());
  const frame = { tenant_id: tenant, swarm_id: run, agent_type: 'agent', shard_id: 0, payload: null, idempotency_key: run };
  await (world.ctx.queue as unknown as { put(tasks: readonly object[]): Promise<unknown> }).put([
    { message: { ...frame, task_id: taskIdOf(run) } },
  ]);
}

/** By target: which field of the answer is the list. The ledger's pages have tests of their own. */
const lists = {
  '/api/v1/runs': 'runs',
  '/api/v1/sessions': 'sessions',
  '/api/v1/approvals': 'approvals',
  '/api/v1/schedules': 'schedules',
  '/api/v1/schedules/alpha': 'history',
  '/api/v1/workflows': 'workflows',
  '/api/v1/passages': 'passages',
  '/api/v1/projects': 'projects',
  '/api/v1/agents': 'agents',
  '/api/v1/tokens': 'tokens',
  '/api/v1/tenants': 'tenants',
  '/api/v1/queue/tasks?state=ready': 'tasks',
} as const;

test('every list has pages whose cursors lead through all of it once, in its order', async (t) => {
  const world = await filledWorld(t);
  const token = world.token('admin');
  const ask = async (target: string) => await world.ask('GET', target, { token });

  for (const [target, field] of Object.entries(lists)) {
    const sign = target.includes('?') ? '&' : '?';
    const whole = (await ask(`${target}${sign}limit=500`)).json;
    const seen: unknown[] = [];
    let cursor: string | null = '';
    while (cursor !== null && seen.length <= whole[field].length) {
      const page: Answer['json'] = (await ask(`${target}${sign}limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`)).json;
      assert.ok(page[field].length <= 3, target);
      seen.push(...page[field]);
      cursor = page.next;
    }

    assert.ok(whole[field].length >= 7, `${target} has ${whole[field].length}`);
    assert.equal(whole.next, null, target);
    assert.deepEqual(seen, whole[field], target);
    assert.ok(!JSON.stringify(whole).includes('"acme"'), target);
    for (const wrong of ['limit=0', 'limit=501', 'limit=x', 'cursor=..%2F', 'cursor=%00', 'page=2'])
      assert.equal((await ask(`${target}${sign}${wrong}`)).status, 400, `${target} ${wrong}`);
  }
});

test('a cursor of another tenant leads to nothing of it', async (t) => {
  const world = await filledWorld(t);
  const acme = world.token('admin', 'acme');
  const [theirs] = (await world.ask('GET', '/api/v1/passages', { token: world.token('admin') })).json.passages;

  const page = (await world.ask('GET', `/api/v1/passages?cursor=${theirs.id}`, { token: acme })).json;

  assert.deepEqual(page, { passages: [], next: null });
});

/** Lists that have no pages, each for a reason. */
const whole: ReadonlySet<string> = new Set([
  // Names of checks, a handful.
  '/readyz',
  // One line a tenant and type, and a tenant sees its own.
  '/api/v1/queue',
  // In OpenAI's form, which has none.
  '/v1/models',
  // The first of what is wrong with a ledger.
  '/api/v1/ledger/verify',
]);

test('a list without pages cannot be added, and sabotage: one is found', () => {
  const unpaged = (answer: z.ZodMiniType): boolean => {
    const { properties = {} } = z.toJSONSchema(answer, { io: 'input', unrepresentable: 'any' }) as { properties?: Record<string, object> };
    return Object.values(properties).some((one) => 'type' in one && one.type === 'array') && !('next' in properties);
  };
  const found = routeTable().filter(
    ({ method, path, answer }) => method === 'GET' && !path.includes('{') && answer !== undefined && unpaged(answer),
  );

  assert.deepEqual(found.map(({ path }) => path).toSorted(), [...whole].toSorted());
  assert.equal(unpaged(z.object({ things: z.array(z.string()) })), true);
});
