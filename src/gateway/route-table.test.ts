import assert from 'node:assert/strict';
import fs from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { silentLog } from '../contracts/log.ts';
import { roles, type Role } from '../contracts/principal.ts';
import { newRunId, newSessionId, newApprovalId, newTaskId, newTokenId, parseTenantId } from '../contracts/ids.ts';
import { endEntry, openWorld, type GatewayWorld } from './fixtures/gateway-world.ts';
import { buildApp } from './http/build-app.ts';
import { routeTable } from './route-table.ts';
import { json, type Route } from './route.ts';
import { exampleOf } from './routes/example-of.ts';

const bodies: Readonly<Record<string, object>> = {
  '/api/v1/runs': { agent: 'main', input: 'x' },
  '/api/v1/approvals/{approval}/answer': { answer: 'approved' },
  '/api/v1/tokens': { roles: ['viewer'] },
  '/api/v1/schedules': { id: 'new-job', agent: 'main', message: 'x', when: { every: '1h' } },
  '/v1/chat/completions': { model: 'agent/main', messages: [{ role: 'user', content: 'x' }] },
};

interface Ids {
  readonly [name: string]: string;
}

/** Things of tenant `acme` that a path may name. */
async function makeIds(world: GatewayWorld): Promise<Ids> {
  const run = world.addRun({ tenant: 'acme' as never, state: 'failed' });
  world.write(run, { kind: 'accepted' }, { kind: 'end', state: 'failed', output: '', reason: '', totals: {} });
  const approval = world.addApproval(world.addRun({ tenant: 'acme' as never, state: 'waiting' }));
  const admin = world.token('admin', 'acme');
  const token = (await world.ask('POST', '/api/v1/tokens', { token: admin, body: { roles: ['viewer'] } })).json.token.id;
  await addJob(world, admin);
  return {
    run: run.id,
    session: run.session,
    approval: approval.id,
    token,
    schedule: 'a-job',
    agent: 'main',
    file: 'journal.jsonl',
    hook: 'build',
    model: 'agent%2Fmain',
    tenant: 'acme',
    workflow: 'release',
    passage: await addPassage(world, admin),
  };
}

/** Each tenant has a workflow of this name, and `acme` a passage through it. */
async function addPassage(world: GatewayWorld, token: string): Promise<string> {
  for (const tenant of ['acme', 'other', 'default']) {
    const dir = join(world.home.tenantDir(parseTenantId(tenant)), 'workflows');
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(join(dir, 'release.yaml'), 'version: 1\nsteps: [{ agent: main, message: Go. }]\n');
  }
  return (await world.ask('POST', '/api/v1/workflows/release/run', { token, body: {} })).json.passage.id;
}

async function addJob(world: GatewayWorld, token: string): Promise<void> {
  const body = { id: 'a-job', agent: 'main', message: 'x', when: { every: '1h' } };
  assert.ok([201, 409].includes((await world.ask('POST', '/api/v1/schedules', { token, body })).status));
}

/** What ends a thing comes last, so that it is there for all others. */
function inOrder(table: readonly Route[]): Route[] {
  const ends = ({ method, path }: Route): number => Number(method === 'DELETE' || path.endsWith('/revoke'));
  return table.toSorted((a, b) => ends(a) - ends(b));
}

function targetOf(route: Route, ids: Ids): string {
  return route.path.replaceAll(/\{(\w+)\}/g, (_, name: string) => {
    assert.ok(ids[name] !== undefined, `the matrix has no id for {${name}}: add one to makeIds`);
    return ids[name];
  });
}

function finishAtOnce(world: GatewayWorld): GatewayWorld['started'][number] {
  return (run) => world.write(run, { kind: 'accepted' }, endEntry('done'));
}

async function statusOf(world: GatewayWorld, route: Route, options: { target: string; token?: string | undefined }): Promise<number> {
  const isPost = route.method === 'POST';
  if (route.isLong === true) world.started.splice(0, 1, finishAtOnce(world));
  const answer = await world.ask(route.method, options.target, {
    ...(options.token === undefined ? {} : { token: options.token }),
    ...(isPost && route.body !== undefined ? { body: bodies[route.path] ?? {} } : {}),
  });
  return answer.status;
}

/** Ids of a tenant that are in the path, apart from names that every tenant may have. */
function namesThing({ path }: Route): boolean {
  return /\{(?:run|session|approval|token|schedule|passage)\}/.test(path);
}

test('every route refuses exactly whom the table does not name: route x tenant x role', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { failuresPerMinute: 100_000 } }));
  const ids = await makeIds(world);
  const tokens = new Map<string, string>();
  for (const tenant of ['acme', 'other', 'default']) for (const role of roles) tokens.set(`${tenant} ${role}`, world.token(role, tenant));
  let checked = 0;

  for (const route of inOrder(routeTable())) {
    const target = targetOf(route, ids);
    const what = `${route.method} ${route.path}`;
    if (route.scope === 'public') {
      assert.deepEqual(route.roles, [], `${what} is public and names roles`);
      assert.ok((await statusOf(world, route, { target })) < 400, what);
      continue;
    }
    assert.ok(route.scope === 'signed' || route.roles.length > 0, `${what} names no role: nobody could use it`);
    if (route.scope === 'signed') {
      assert.equal(await statusOf(world, route, { target, token: tokens.get('default admin') }), 404, `${what}, without a signature`);
      continue;
    }
    assert.equal(await statusOf(world, route, { target }), 401, `${what}, anonymous`);
    assert.equal(await statusOf(world, route, { target, token: 'clh_wrong' }), 401, `${what}, wrong token`);
    for (const tenant of ['other', 'default', 'acme']) {
      for (const role of roles) {
        if (route.method === 'DELETE') await addJob(world, tokens.get('acme admin')!);
        const status = await statusOf(world, route, { target, token: tokens.get(`${tenant} ${role}`) });
        const isAllowed = route.roles.includes(role) && (route.scope !== 'platform' || tenant === 'default');
        const label = `${what}, ${role} of ${tenant}: ${status}`;
        checked += 1;
        if (!isAllowed) assert.equal(status, 403, label);
        else if (namesThing(route) && tenant !== 'acme') assert.equal(status, 404, label);
        else assert.ok(![401, 403, 404].includes(status) && status < 500, label);
      }
    }
  }
  assert.ok(checked > 300, `only ${checked} cells`);
});

test('ids that nobody ever had are unknown on every route that takes one', async (t) => {
  const world = await openWorld(t);
  const ids = {
    hook: 'none',
    run: newRunId(1),
    session: newSessionId(1),
    approval: newApprovalId(1),
    token: newTokenId(1),
    task: newTaskId(1),
  };
  const all = {
    ...ids,
    schedule: 'nothing',
    agent: 'nobody',
    file: 'none',
    tenant: 'gone',
    model: 'agent%2Fghost',
    workflow: 'nothing',
    passage: `wfl_${'0'.repeat(26)}`,
  };
  const token = world.token('admin');

  for (const route of routeTable().filter(({ path }) => path.includes('{'))) {
    for (const odd of [
      all,
      Object.fromEntries(Object.keys(all).map((name) => [name, '..%2F..%2Fetc%2Fpasswd'])),
      Object.fromEntries(Object.keys(all).map((name) => [name, 'x%00y'])),
    ]) {
      const status = await statusOf(world, route, { target: targetOf(route, odd), token });
      assert.equal(status, 404, `${route.method} ${targetOf(route, odd)}`);
    }
  }
});

test('the server has the routes of the table and no other', async (t) => {
  const world = await openWorld(t);
  const table = routeTable();
  const app = await buildApp(world.ctx, { routes: table, hosts: () => ({ has: () => true }), closing: new AbortController().signal });
  t.after(async () => await app.close());
  await app.ready();

  const served = app
    .printRoutes({ commonPrefix: false, includeHooks: false })
    .split('\n')
    .flatMap((line) => /\(([A-Z, ]+)\)/.exec(line)?.[1]?.split(', ') ?? []);
  assert.deepEqual(served.toSorted(), table.map(({ method }) => method).toSorted());
  const places = table.map(({ method, path }) => `${method} ${path}`);
  assert.equal(new Set(places).size, places.length);
});

test('sabotage: a route that is not in the table cannot be added', async (t) => {
  const world = await openWorld(t);
  const app = await buildApp(world.ctx, { routes: [], hosts: () => ({ has: () => true }), closing: new AbortController().signal });
  t.after(async () => await app.close());

  assert.throws(() => app.get('/backdoor', () => 'open'), /not in the table of routes/);
});

test('sabotage: a route that forgets its roles is nobody’s, not everybody’s', async (t) => {
  const world = await openWorld(t);
  const careless: Route = { ...routeTable().find(({ path }) => path === '/api/v1/tenants')!, roles: [], handle: () => json({}) };
  const app = await buildApp(
    { ...world.ctx, log: silentLog },
    { routes: [careless], hosts: () => ({ has: () => true }), closing: new AbortController().signal },
  );
  t.after(async () => await app.close());

  const anonymous = await app.inject({ method: 'GET', url: '/api/v1/tenants' });
  assert.equal(anonymous.statusCode, 401);
  const admin = await app.inject({ method: 'GET', url: '/api/v1/tenants', headers: { authorization: `Bearer ${world.token('admin')}` } });
  assert.equal(admin.statusCode, 403);
});

test('every answer that worked has the shape that the description gives it', async (t) => {
  const world = await openWorld(t);
  const ids = await makeIds(world);
  const token = world.token('admin', 'acme');
  const platform = world.token('admin');

  for (const route of inOrder(routeTable())) {
    if (route.answer === undefined || route.scope === 'signed') continue;
    if (route.isLong === true) world.started.push(finishAtOnce(world));
    const answer = await world.ask(route.method, targetOf(route, ids), {
      token: route.scope === 'platform' ? platform : token,
      ...(route.method === 'POST' && route.body !== undefined ? { body: bodies[route.path] ?? {} } : {}),
    });
    if (answer.status >= 400) {
      assert.equal(answer.status, 409, `${route.method} ${route.path}: ${answer.text}`);
      continue;
    }
    const parsed = route.answer.safeParse(answer.json);
    assert.ok(parsed.success, `${route.method} ${route.path}: ${JSON.stringify(parsed.error?.issues)}`);
    // What the description does not have would be left out.
    assert.deepEqual(parsed.data, answer.json, `${route.method} ${route.path}`);
    assert.equal(answer.status, route.status ?? 200);
  }
});

test('the description is OpenAPI 3.1, names every route, and its page loads and runs nothing', async (t) => {
  const world = await openWorld(t);

  const document = (await world.ask('GET', '/openapi.json')).json;
  assert.equal(document.openapi, '3.1.0');
  for (const { method, path, roles: allowed } of routeTable())
    assert.deepEqual(document.paths[path][method.toLowerCase()]['x-roles'] ?? [], [...allowed] as Role[], path);
  assert.ok(!JSON.stringify(document).includes('#/$defs/'), 'a reference leads nowhere');
  const operations = Object.values<Record<string, { operationId: string }>>(document.paths).flatMap((one) => Object.values(one));
  assert.equal(new Set(operations.map(({ operationId }) => operationId)).size, operations.length);

  const page = await world.ask('GET', '/docs');
  assert.match(page.headers.get('content-security-policy') ?? '', /^default-src 'none'; style-src 'sha256-/);
  assert.doesNotMatch(page.text, /<script|<img|<link|url\(|javascript:/i);
  assert.match(page.text, /\/api\/v1\/approvals\/\{approval\}\/answer/);
});

test('the page has a place, a link and a command for every route, and every body that it shows is taken by its route', async (t) => {
  const world = await openWorld(t);
  const { paths } = (await world.ask('GET', '/openapi.json')).json;
  const { text } = await world.ask('GET', '/docs');
  const places = [...text.matchAll(/<section id="([^"]+)"/g)].map(([, id]) => id);
  const links = [...text.matchAll(/href="#([^"]+)"/g)].map(([, id]) => id);

  assert.equal(places.length, routeTable().length);
  assert.equal(new Set(places).size, places.length);
  assert.deepEqual(links, places);
  assert.equal(text.match(/\ncurl |<pre>curl /g)?.length, places.length);
  for (const route of routeTable()) {
    const schema = paths[route.path][route.method.toLowerCase()].requestBody?.content['application/json'].schema;
    if (schema === undefined) continue;
    const example = route.example ?? exampleOf(schema, 'required');
    assert.ok(route.body?.safeParse(example).success, `${route.path}: ${JSON.stringify(example)}`);
    assert.ok(text.includes(JSON.stringify(example).replaceAll('"', '&quot;')), route.path);
  }
});
