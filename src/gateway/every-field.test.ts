import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { newApprovalId, newRunId, newSessionId, newTaskId, newTokenId, parseTenantId } from '../contracts/ids.ts';
import { openWorld, type Answer, type GatewayWorld } from './fixtures/gateway-world.ts';
import { openApiDocument } from './openapi.ts';
import { routeTable } from './route-table.ts';
import type { Route } from './route.ts';

/** What is right about a body, so that one field alone is wrong. */
const bodies: Readonly<Record<string, object>> = {
  '/api/v1/runs': { agent: 'main', input: 'x' },
  '/api/v1/tokens': { roles: ['viewer'] },
  '/api/v1/schedules': { id: 'new-job', agent: 'main', message: 'x', when: { every: '1h' } },
  '/v1/chat/completions': { model: 'agent/main', messages: [{ role: 'user', content: 'x' }] },
};

const ids: Readonly<Record<string, string>> = {
  run: newRunId(1),
  session: newSessionId(1),
  approval: newApprovalId(1),
  token: newTokenId(1),
  task: newTaskId(1),
  passage: `wfl_${'0'.repeat(26)}`,
  model: 'agent%2Fmain',
};

const values: readonly unknown[] = [
  null,
  true,
  '',
  ' ',
  'a\u0000b',
  '\u001b[2J',
  'ma\u202ein',
  'mаin',
  '../../etc/passwd',
  '__proto__',
  'x'.repeat(70_000),
  0,
  -1,
  1.5,
  1e300,
  Number.MAX_SAFE_INTEGER,
  [],
  [[]],
  ['x', 1],
  {},
  { a: 1 },
];
const words: readonly string[] = [
  '',
  '%20',
  'a%00b',
  '%1B',
  'x'.repeat(5000),
  '-1',
  '1.5',
  '1e3',
  '0x10',
  '٣',
  'null',
  '__proto__',
  '..%2F..%2Fetc',
];

interface Operation {
  readonly parameters?: readonly { readonly name: string; readonly in: string }[];
  readonly requestBody?: { readonly content: Readonly<Record<string, { readonly schema: { readonly properties?: object } }>> };
}

interface Fields {
  readonly query: readonly string[];
  readonly body: readonly string[];
}

/** As the description of the API has them, and one that it has not. */
function fieldsOf({ path: place, method }: Route): Fields {
  const paths = openApiDocument(routeTable(), '')['paths'] as Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  const { parameters = [], requestBody } = paths[place]?.[method.toLowerCase()] ?? {};
  const query = parameters.filter((one) => one.in === 'query').map(({ name }) => name);
  const body = Object.keys(requestBody?.content['application/json']?.schema.properties ?? {});
  return { query: [...query, 'constructor'], body: body.length === 0 ? [] : [...body, 'workspace'] };
}

function targetOf({ path: place }: Route): string {
  return place.replaceAll(/\{(\w+)\}/g, (_, name: string) => ids[name] ?? 'nobody');
}

interface Asking {
  readonly world: GatewayWorld;
  readonly token: string;
}

async function asked({ world, token }: Asking, { method }: Route, target: string, body?: object): Promise<Answer> {
  return await world.ask(method, target, { token, ...(body === undefined ? {} : { body }) });
}

/** A refusal is no failure of ours, and says in words what is wrong. */
function assertAnswer(world: GatewayWorld, answer: Answer, what: string): void {
  assert.ok(answer.status < 500, `${what}: ${answer.text}`);
  if (answer.status < 400) return;
  const { detail, code, remedy } =
    answer.json.error === undefined ? answer.json : { ...answer.json.error, detail: answer.json.error.message };
  assert.match(code, /^[a-z]+\.[a-z-]+$/, what);
  assert.match(remedy, /^(?:fix-request|retry)$/, what);
  assert.match(detail, /^\S.*\.$/s, what);
  assert.doesNotMatch(detail, /Invalid input|must match \/|is not allowed(?=[;.])|undefined|\[object/, `${what}: ${detail}`);
  assert.ok(detail.length < 2000, what);
  assert.ok(!answer.text.includes(path.dirname(world.home.dir)), what);
}

test('a wrong value in any field of a query is refused in words, and none is a failure of ours', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { publicPerMinute: 1e6 } }));
  const asking = { world, token: world.token('admin') };
  let refused = 0;

  for (const route of routeTable().filter(({ method }) => method === 'GET')) {
    for (const field of fieldsOf(route).query) {
      for (const value of [...words, `x&${field}=y`]) {
        const answer = await asked(asking, route, `${targetOf(route)}?${field}=${value}`);
        assertAnswer(world, answer, `${route.path} ${field}=${value.slice(0, 40)}`);
        refused += Number(answer.status === 400);
      }
    }
  }

  assert.ok(refused > 300, String(refused));
});

test('a wrong value in any field of a body is refused in words, and none is a failure of ours', async (t) => {
  const world = await openWorld(t);
  // What is right after all begins nothing that would be waited for.
  world.quotas.set(parseTenantId('default'), { queuedTasks: 0 });
  const asking = { world, token: world.token('admin') };
  let refused = 0;

  for (const route of routeTable().filter(({ method, isRaw }) => method === 'POST' && isRaw !== true)) {
    for (const field of fieldsOf(route).body) {
      for (const value of values) {
        const answer = await asked(asking, route, targetOf(route), { ...bodies[route.path], [field]: value });
        assertAnswer(world, answer, `${route.path} ${field}: ${JSON.stringify(value).slice(0, 40)}`);
        refused += Number(answer.status === 400);
      }
    }
  }

  assert.ok(refused > 400, String(refused));
});
