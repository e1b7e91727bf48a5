import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { FixRequestError } from '../contracts/errors.ts';
import { newRunId, parseTenantId } from '../contracts/ids.ts';
import { openWorld, sendRaw, type Answer, type AskOptions, type GatewayWorld } from './fixtures/gateway-world.ts';

interface Wrong {
  readonly method?: string;
  readonly target: string;
  readonly options?: AskOptions;
  readonly status: number;
  readonly code: string;
  /** In the sentence. */
  readonly says: RegExp;
}

const run = '/api/v1/runs';
const runBody = { agent: 'main', input: 'hi' };
const jobBody = { id: 'j', agent: 'main', message: 'x', when: { every: '1h' } };

function inRun(body: object, says: RegExp): Wrong {
  return { method: 'POST', target: run, options: { body: { ...runBody, ...body } }, status: 400, code: 'gateway.bad-request', says };
}

function inJob(body: object, says: RegExp, [status, code]: readonly [number, string] = [400, 'gateway.bad-request']): Wrong {
  return { method: 'POST', target: '/api/v1/schedules', options: { body: { ...jobBody, ...body } }, status, code, says };
}

function inQuery(target: string, says: RegExp): Wrong {
  return { target, status: 400, code: 'gateway.bad-request', says };
}

function unknown(target: string, says: RegExp, more: Partial<Wrong> = {}): Wrong {
  return { target, status: 404, code: 'gateway.not-found', says, ...more };
}

function withKey(key: string): Wrong {
  const options = { body: runBody, headers: { 'idempotency-key': key } };
  return { method: 'POST', target: run, options, status: 400, code: 'gateway.bad-key', says: /1 to 128 visible ASCII letters/ };
}

const nothing = 'x'.repeat(26);
const wrongs: Readonly<Record<string, Wrong>> = {
  'a folder in the body': inRun({ workspace: '/etc' }, /: workspace is not a known field; allowed here: agent, input, session, model,/),
  'three foreign fields': inRun(
    { workspace: '/etc', tenant: 'beta', principal: 'root' },
    /: workspace is not a known field; tenant is not a known field; principal is not a known field; allowed here: agent, [^;]*\. Correct it;/,
  ),
  'a field of a limit that is none': inRun({ limits: { turns: 0, colour: 1 } }, /limits\.turns must be more than 0; limits\.colour is not/),
  'no field at all': {
    ...inRun({}, /: agent is required: text; input is required: text\. /),
    options: {},
  },
  'a list as the body': { ...inRun({}, /: it must be a mapping, not a list\. /), options: { body: [] } },
  'null as the body': { ...inRun({}, /agent is required/), options: { raw: 'null' } },
  'fields of wrong types': inRun(
    { agent: 7, input: null, priority: '1' },
    /: agent must be text, not 7; input must be text, not empty; priority must be a/,
  ),
  'an empty input': inRun({ input: '' }, /: input must have at least 1 character\. /),
  'an empty model': inRun({ model: '' }, /: model must have at least 1 character\. /),
  'a session that is none': inRun({ session: 'x' }, /: session must be ses_ and 26 lower-case letters or digits\. /),
  'a project outside': inRun({ project: '../x', lane: 'infra' }, /: project must be a lower-case letter, then/),
  'an empty project': inRun({ project: '', lane: 'infra' }, /: project must be a lower-case letter, then/),
  'a project with NUL': inRun({ project: 'shop\u0000', lane: 'infra' }, /: project must be a lower-case letter, then/),
  'a project with a line break': inRun({ project: 'shop\n', lane: 'infra' }, /: project must be a lower-case letter, then/),
  'a project that only looks like one': inRun({ project: 'ѕhop', lane: 'infra' }, /: project must be a lower-case letter, then/),
  'an agent with a right-to-left mark': inRun({ agent: 'main\u202e' }, /: agent must be a lower-case letter, then/),
  'a priority that is none': inRun({ priority: 11 }, /: priority must be at most 9\. /),
  'a time beyond all times': inRun({ notBefore: 8_640_000_000_000_001 }, /: notBefore must be at most 8640000000000000/),
  'an idempotency key of 10 KB': withKey('k'.repeat(10 * 1024)),
  'an empty idempotency key': withKey(''),
  'an idempotency key with a space': withKey('a b'),
  'a job for a workflow that is not there': inJob({ agent: undefined, workflow: 'nope' }, /no workflow "nope" here/, [
    404,
    'gateway.not-found',
  ]),
  'a job for a workflow outside': inJob({ agent: undefined, workflow: '../x' }, /: workflow must be a lower-case letter, then/),
  'a job for a workflow that is wrong': inJob({ agent: undefined, workflow: 'broken' }, /its file is not valid/, [
    409,
    'gateway.workflow-invalid',
  ]),
  'a job for a workflow with a step of nobody': inJob({ agent: undefined, workflow: 'ghostly' }, /no agent "nobody" here/, [
    404,
    'gateway.not-found',
  ]),
  'a job for a workflow with a step in a project that is not listed': inJob(
    { agent: undefined, workflow: 'lost' },
    /no project "x": there is shop\. /,
    [403, 'control.project-not-allowed'],
  ),
  'a job for a project that is not listed': inJob({ project: 'x', lane: 'infra' }, /there is shop\. Name one/, [
    403,
    'control.project-not-allowed',
  ]),
  'a job for a project that no run could work on': inJob({ project: 'shop', lane: 'infra' }, /^The repo of project shop is not there\. /, [
    409,
    'control.project-unusable',
  ]),
  'a job for a project without a lane': inJob({ project: 'shop' }, /Name both, or neither\./, [400, 'control.no-lane']),
  'a job for nobody': inJob({ agent: undefined }, /an agent or a workflow/, [400, 'gateway.bad-schedule']),
  'a job of another tenant': inJob({ tenant: 'beta' }, /: tenant is not a known field; allowed here: id, agent, workflow,/),
  'a job at two times': inJob({ when: { every: '1h', cron: '* * * * *' } }, /: when must have exactly one of cron, at and every/),
  'a job that tells a file outside': inJob({ notify: { file: '../../x' } }, /: notify\.file must be a plain path/),
  'a pause for no reason': {
    ...inRun({}, /: reason must have at least 1 character\. /),
    target: '/api/v1/schedules/j/pause',
    options: { body: { reason: '' } },
  },
  'a job in a mode that is none': inJob({ mode: 'x' }, /: mode must be "isolated" or "main"\. /),
  'a workflow that is not there': unknown('/api/v1/workflows/nope/run', /no workflow "nope"/, { method: 'POST', options: { body: {} } }),
  'a workflow outside': unknown('/api/v1/workflows/..%2Fx/run', /no workflow "\.\.\/x"/, { method: 'POST', options: { body: {} } }),
  'a passage that is none': unknown('/api/v1/passages/nope', /no passage "nope"/),
  'a passage that never was': unknown(`/api/v1/passages/wfl_${'0'.repeat(26)}`, /no passage "wfl_0+"/),
  'an id of look-alikes': unknown(`/api/v1/runs/run_${'о'.repeat(26).replaceAll('о', '%D0%BE')}`, /no run "run_о+"/),
  'a name with NUL': unknown('/api/v1/agents/main%00', /no agent "main\\u0000"/),
  'a run that is none, with a file': unknown(`${run}/${nothing}/artifacts/output.md`, /no run "x+"/),
  'a file that is none, of a run that never was': unknown(`${run}/${newRunId(1)}/artifacts/${nothing}`, /no run "run_/),
  'a webhook with a long name': unknown(`/hooks/${'x'.repeat(300)}`, /no such webhook, or/, {
    method: 'POST',
    code: 'gateway.webhook-refused',
  }),
  'a cursor of the ledger that is none': inQuery(
    '/api/v1/ledger?cursor=..%2F..%2Fetc',
    /: cursor must be the "next" of the page before\. /,
  ),
  'a cursor of the ledger that is cut': inQuery('/api/v1/ledger?cursor=s01.1', /: cursor must be the "next" of the page before\. /),
  'a cursor of runs that is none': inQuery(`${run}?cursor=x`, /: cursor must be run_ and 26/),
  'a day that is no time': inQuery('/api/v1/ledger?since=yesterday', /: since must be a time with its offset, such as/),
  'an event that is none': {
    ...inQuery('/api/v1/ledger?type=Nope', /no ledger event "Nope"\. Use one of: run\.start,/),
    code: 'gateway.unknown-event',
  },
  'a state that is none': inQuery(`${run}?state=x`, /: state must be "accepted", "running",.* or "cancelled"\. /),
  'a huge limit': inQuery(`${run}?limit=${'9'.repeat(400)}`, /: limit must be a whole number from 1 to 500\. Correct/),
  'a limit of nothing': inQuery(`${run}?limit=`, /: limit must be a whole number from 1 to 500\. Correct/),
  'a limit of zero': inQuery(`${run}?limit=0`, /: limit must be a whole number from 1 to 500\. Correct/),
  'a limit in another script': inQuery(`${run}?limit=%D9%A1`, /: limit must be a whole number from 1 to 500\. Correct/),
  'a limit that stands there twice': inQuery(`${run}?limit=1&limit=500`, /: limit stands there twice\. /),
  'a field of the query that is none': inQuery(
    `${run}?tenant=beta`,
    /: tenant is not a known field; allowed here: agent, session, state, cursor, limit\. /,
  ),
  'a field of the query that reaches a prototype': inQuery(`${run}?__proto__=x`, /: __proto__ is not a known field/),
  'a query where none is taken': { ...inQuery('/api/v1/ledger/verify?tenant=beta', /takes no query\. /), code: 'gateway.unexpected-part' },
};

async function worldOfMistakes(t: Parameters<typeof openWorld>[0]): Promise<GatewayWorld> {
  const world = await openWorld(t);
  const dir = path.join(world.home.tenantDir(parseTenantId('default')), 'workflows');
  fs.mkdirSync(dir, { recursive: true });
  const main = '{ agent: main, message: x }';
  fs.writeFileSync(path.join(dir, 'broken.yaml'), 'version: 1\nsteps: []\n');
  fs.writeFileSync(path.join(dir, 'ghostly.yaml'), `version: 1\nsteps: [${main}, { agent: nobody, message: x }]\n`);
  fs.writeFileSync(path.join(dir, 'lost.yaml'), `version: 1\nsteps: [${main}, { agent: main, message: x, project: x, lane: infra }]\n`);
  return world;
}

/** One sentence or two that say what to do, in words, with a code and a remedy, and without a place of this machine. */
function assertProblem(world: GatewayWorld, answer: Answer, what: string): void {
  const { detail, code, remedy, status, type, requestId } = answer.json;
  assert.equal(answer.headers.get('content-type'), 'application/problem+json; charset=utf-8', what);
  assert.deepEqual([status, type], [answer.status, `urn:clawhold:error:${code}`], what);
  assert.ok(['fix-request', 'retry'].includes(remedy) && requestId.length > 0, what);
  assert.match(detail, /^[A-Z].*\.$/s, what);
  assert.doesNotMatch(detail, /Invalid input|undefined|\[object|\$\{/, what);
  assert.ok(detail.length < 1500, what);
  assert.ok(!answer.text.includes(path.dirname(world.home.dir)), what);
}

test('every wrong input is refused in words that say what is wrong and what is allowed, and starts nothing', async (t) => {
  const world = await worldOfMistakes(t);
  const token = world.token('operator');

  for (const [what, { method = 'GET', target, options = {}, status, code, says }] of Object.entries(wrongs)) {
    const answer = await world.ask(method, target, { token, ...options });
    assert.deepEqual([answer.status, answer.json.code], [status, code], `${what}: ${answer.text}`);
    assert.match(answer.json.detail, says, what);
    assertProblem(world, answer, what);
  }

  assert.deepEqual(world.admitted, []);
  assert.deepEqual(world.ctx.schedules.list(parseTenantId('default')), []);
});

test('what one tenant names wrongly tells it nothing of another', async (t) => {
  const world = await worldOfMistakes(t);
  const token = world.token('submitter', 'acme');
  const own = await world.ask('POST', '/api/v1/workflows/nope/run', { token, body: {} });

  const others = await world.ask('POST', '/api/v1/workflows/broken/run', { token, body: {} });

  assert.deepEqual([own.status, others.status], [404, 404]);
  assert.equal(others.json.detail, own.json.detail.replace('nope', 'broken'));
});

test('a refusal of another room that names a place of this machine is told without it, and the log has all of it', async (t) => {
  const secret = '/srv/clawhold/tenants/acme/agents/main/agent.yaml';
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    checkNotifyUrl: async () => {
      throw new FixRequestError('config.invalid', `${secret}:3 is wrong.`);
    },
  }));
  const body = { ...jobBody, notify: { url: 'https://x.test/', secret: 'KEY' } };

  const answer = await world.ask('POST', '/api/v1/schedules', { token: world.token('operator'), body });

  assert.deepEqual([answer.status, answer.json.code, answer.text.includes('/srv')], [409, 'config.invalid', false]);
  assertProblem(world, answer, 'notify');
  assert.ok(
    world.lines.some(({ fields }) => String(fields?.['error']).includes(secret) && fields?.['request_id'] === answer.json.requestId),
  );
});

test('who works on every queue and names a tenant that is not there is told so, and nothing is paused for who gets the name', async (t) => {
  const world = await worldOfMistakes(t);
  const token = world.token('admin');
  const asked = [
    await world.ask('GET', '/api/v1/queue?tenant=ghost', { token }),
    await world.ask('GET', '/api/v1/queue/tasks?tenant=ghost', { token }),
    await world.ask('POST', '/api/v1/queue/pause', { token, body: { tenant: 'ghost' } }),
    await world.ask('POST', '/api/v1/queue/resume', { token, body: { tenant: 'ghost' } }),
    await world.ask('POST', '/api/v1/queue/requeue', { token, body: { tenant: 'ghost' } }),
  ];
  const own = await world.ask('POST', '/api/v1/queue/pause', { token, body: { tenant: 'default' } });

  for (const { status, json } of asked)
    assert.deepEqual([status, json.detail], [404, 'There is no tenant "ghost" here. Check the name, and whose token this is.']);
  assert.equal(own.status, 200);
});

test('a tenant whose file is wrong is a conflict, and whoever runs the platform is told the line', async (t) => {
  const world = await worldOfMistakes(t);
  const dir = world.home.tenantDir(parseTenantId('acme'));
  fs.mkdirSync(dir, { recursive: true });
  fs.writeFileSync(path.join(dir, 'tenant.yaml'), 'version: 1\ncolour: red\n');

  const answer = await world.ask('GET', '/api/v1/tenants/acme', { token: world.token('admin') });

  assert.deepEqual([answer.status, answer.json.code], [409, 'gateway.tenant-invalid']);
  assert.match(answer.json.detail, /tenants\/acme\/tenant\.yaml:2: colour is not a known field/);
  assertProblem(world, answer, 'acme');
});

const host = (world: GatewayWorld): string => `Host: 127.0.0.1:${world.port}\r\n`;
const chunks = '2\r\n{}\r\n0\r\n\r\n';

/** Headers beside the usual ones, or the bytes of all of it. */
const framings: Readonly<
  Record<string, { readonly headers?: string; readonly bytes?: (world: GatewayWorld) => string; readonly says: RegExp }>
> = {
  'headers larger than the server takes': {
    headers: `Idempotency-Key: ${'k'.repeat(20_000)}\r\n`,
    says: / 431 .*The headers are larger than 16 KiB\. Send less\./s,
  },
  'a key twice': { headers: 'Idempotency-Key: a\r\nIdempotency-Key: a\r\n', says: / 400 .*The header idempotency-key stands there twice/s },
  'a tenant twice': { headers: 'X-Tenant-ID: default\r\nX-Tenant-Id: beta\r\n', says: / 400 .*The header x-tenant-id stands there twice/s },
  'NUL in a header': { headers: 'Idempotency-Key: a\u0000b\r\n', says: / 400 .*cannot be read as a request/s },
  'another type of body': { headers: 'Content-Type: text/plain\r\n', says: / 400 .*The header content-type stands there twice/s },
  'a packed body': { headers: 'Content-Encoding: gzip\r\n', says: / 415 .*nothing is unpacked here/s },
  'a header named after what every object has': { headers: 'constructor: x\r\n__proto__: y\r\n', says: / 202 / },
  'an expectation': {
    headers: 'Expect: a-reply-by-fax\r\n',
    says: / 417 .*The header Expect asks for something that is not done here\. Leave it out\./s,
  },
  'a body in another character set': {
    bytes: (world) => `POST ${run} HTTP/1.1\r\n${host(world)}Content-Type: application/json; charset=utf-16\r\nContent-Length: 2\r\n\r\n{}`,
    says: / 415 .*read as UTF-8/s,
  },
  'two codings of a body': {
    bytes: (world) => `POST ${run} HTTP/1.1\r\n${host(world)}Transfer-Encoding: gzip, chunked\r\n\r\n${chunks}`,
    says: / 501 .*in no other coding\. Leave Transfer-Encoding out\./s,
  },
  'no server named': { bytes: () => 'GET /healthz HTTP/1.1\r\n\r\n', says: / 400 .*has no Host header/s },
  'an older protocol without headers': { bytes: () => 'GET /\r\n\r\n', says: / 400 .*has no Host header/s },
  'another protocol': { bytes: () => 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', says: / 400 .*cannot be read as a request/s },
  'a part of the path that is too long': {
    bytes: (world) => `GET ${run}/${'x'.repeat(600)} HTTP/1.1\r\n${host(world)}\r\n`,
    says: / 414 .*A part of the path is longer than any name or id/s,
  },
};

test('what is framed or sent in ways that two readers could read differently is refused with a sentence', async (t) => {
  const world = await worldOfMistakes(t);
  const body = JSON.stringify(runBody);
  const head = `POST ${run} HTTP/1.1\r\n${host(world)}Authorization: Bearer ${world.token('submitter')}\r\nContent-Type: application/json\r\n`;
  const plain = (headers: string): string => `${head}${headers}Content-Length: ${body.length}\r\nConnection: close\r\n\r\n${body}`;

  for (const [what, { headers = '', bytes, says }] of Object.entries(framings)) {
    const answer = await sendRaw(world.port, bytes?.(world) ?? plain(headers));
    assert.match(answer, says, what);
    assert.match(answer, /\r\ncontent-security-policy: default-src 'none'/i, what);
    if (!says.source.includes('202'))
      assert.match(answer, /"code":"gateway\.[a-z0-9-]+","remedy":"fix-request","requestId":"[^"]{36}"\}$/, what);
  }

  assert.equal(world.admitted.length, 1);
});

test('usual spellings of a body’s type and framing are taken', async (t) => {
  const world = await openWorld(t);
  const token = world.token('submitter');

  for (const type of [
    'application/json',
    'application/json; charset=utf-8',
    'application/json;charset="UTF-8"',
    'APPLICATION/JSON; charset=UTF-8',
  ])
    assert.equal((await world.ask('POST', run, { token, body: runBody, headers: { 'content-type': type } })).status, 202, type);
  const chunked = `POST ${run} HTTP/1.1\r\n${host(world)}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nTransfer-Encoding: Chunked\r\n\r\n`;
  const body = JSON.stringify(runBody);
  assert.match(await sendRaw(world.port, `${chunked}${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`), /^HTTP\/1\.1 202 /);
});
