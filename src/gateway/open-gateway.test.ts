import assert from 'node:assert/strict';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { test } from 'node:test';
import { FixRequestError } from '../contracts/errors.ts';
import { newRunId, newSessionId, parseTenantId } from '../contracts/ids.ts';
import { endEntry, openWorld, sendRaw } from './fixtures/gateway-world.ts';
import { openGateway } from './open-gateway.ts';

test('a message becomes a run with an id, and the run later has its output and pointers to its files', async (t) => {
  const world = await openWorld(t);
  const token = world.token('submitter');

  const made = await world.ask('POST', '/api/v1/runs', { token, body: { agent: 'main', input: 'hello', priority: 1 } });

  assert.equal(made.status, 202);
  assert.equal(made.json.state, 'accepted');
  assert.equal(made.headers.get('location'), `/api/v1/runs/${made.json.run}`);
  const { principal, request } = world.admitted[0]!;
  assert.equal(principal.tenant, 'default');
  assert.deepEqual([request.agent, request.input, request.door, request.priority], ['main', 'hello', 'http', 1]);

  const row = world.addRun();
  world.write(row, { kind: 'accepted' }, endEntry('done', 'it is done'));
  const shown = await world.ask('GET', `/api/v1/runs/${row.id}`, { token });
  assert.equal(shown.status, 200);
  assert.deepEqual([shown.json.run.state, shown.json.output], ['done', 'it is done']);
  const [artifact] = shown.json.artifacts;
  const file = await world.ask('GET', artifact.href, { token });
  assert.equal(file.status, 200);
  assert.match(file.text, /"kind":"accepted"/);
  assert.match(file.headers.get('content-disposition') ?? '', /^attachment/);
});

test('without a token, or with a wrong one, everything but health and the description answers 401', async (t) => {
  const world = await openWorld(t);

  for (const options of [
    {},
    { token: 'clh_wrong' },
    { headers: { authorization: 'Basic abc' } },
    { headers: { authorization: 'Bearer ' } },
  ]) {
    const answer = await world.ask('GET', '/api/v1/runs', options);
    assert.equal(answer.status, 401);
    assert.equal(answer.headers.get('www-authenticate'), 'Bearer');
    assert.match(answer.headers.get('content-type') ?? '', /^application\/problem\+json/);
  }
  assert.deepEqual((await world.ask('GET', '/healthz')).json, { status: 'ok' });
});

test('a tenant header that disagrees with the token is refused, and one that agrees is not', async (t) => {
  const world = await openWorld(t);
  const token = world.token('viewer', 'acme');

  const other = await world.ask('GET', '/api/v1/runs', { token, headers: { 'x-tenant-id': 'default' } });
  assert.deepEqual([other.status, other.json.code], [403, 'gateway.other-tenant']);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token, headers: { 'x-tenant-id': 'acme' } })).status, 200);
});

test('what belongs to another tenant is as unknown as what never was', async (t) => {
  const world = await openWorld(t);
  const token = world.token('admin', 'acme');
  const run = world.addRun();
  const approval = world.addApproval(run);

  for (const target of [
    `/api/v1/runs/${run.id}`,
    `/api/v1/runs/${run.id}/events`,
    `/api/v1/runs/${run.id}/artifacts`,
    `/api/v1/sessions/${run.session}`,
    `/api/v1/approvals/${approval.id}`,
  ]) {
    const foreign = await world.ask('GET', target, { token });
    assert.equal(foreign.status, 404, target);
    assert.equal(foreign.json.code, 'gateway.not-found', target);
  }
  const answered = await world.ask('POST', `/api/v1/approvals/${approval.id}/answer`, { token, body: { answer: 'approved' } });
  assert.equal(answered.status, 404);
  assert.equal(world.ctx.stores(run.tenant).approvals.get(approval.id, Date.now())?.state, 'open');
  assert.deepEqual((await world.ask('GET', '/api/v1/runs', { token })).json.runs, []);
});

test('readiness names what does not answer and says nothing of why', async (t) => {
  const world = await openWorld(t);
  assert.equal((await world.ask('GET', '/readyz')).status, 200);

  world.checks.push({ name: 'state', isReady: false, why: '/secret/path is gone' });
  const answer = await world.ask('GET', '/readyz');

  assert.equal(answer.status, 503);
  assert.deepEqual(answer.json, { status: 'not-ready', failing: ['state'] });
});

test('figures of the installation are for the platform only', async (t) => {
  const world = await openWorld(t);

  assert.equal((await world.ask('GET', '/metrics')).status, 401);
  assert.equal((await world.ask('GET', '/metrics', { token: world.token('admin', 'acme') })).status, 403);
  assert.equal((await world.ask('GET', '/metrics', { token: world.token('viewer') })).status, 200);
});

test('a name that leads here by DNS rebinding is refused before anybody is identified', async (t) => {
  const world = await openWorld(t);
  const head = `Authorization: Bearer ${world.token('admin')}\r\nConnection: close\r\n\r\n`;

  for (const host of [`evil.example:${world.port}`, 'evil.example', '127.0.0.1', '127.0.0.1:1', `127.0.0.1.evil.example:${world.port}`])
    assert.match(await sendRaw(world.port, `GET /api/v1/runs HTTP/1.1\r\nHost: ${host}\r\n${head}`), /^HTTP\/1.1 421 /, host);
  for (const host of [`127.0.0.1:${world.port}`, `LOCALHOST:${world.port}`, `[::1]:${world.port}`])
    assert.match(await sendRaw(world.port, `GET /api/v1/runs HTTP/1.1\r\nHost: ${host}\r\n${head}`), /^HTTP\/1.1 200 /, host);
});

test('a target that bears another name than the Host header is refused', async (t) => {
  const world = await openWorld(t);
  const head = `Host: 127.0.0.1:${world.port}\r\nAuthorization: Bearer ${world.token('admin')}\r\nConnection: close\r\n\r\n`;

  for (const target of [
    `http://evil.example/api/v1/runs`,
    `http://127.0.0.1/api/v1/runs`,
    `http://a@127.0.0.1:${world.port}/api/v1/runs`,
    'x:1',
  ])
    assert.match(await sendRaw(world.port, `GET ${target} HTTP/1.1\r\n${head}`), /^HTTP\/1.1 4(?:21|00) /, target);
  assert.match(await sendRaw(world.port, `GET http://127.0.0.1:${world.port}/api/v1/runs HTTP/1.1\r\n${head}`), /^HTTP\/1.1 200 /);
});

test('a target that cannot be decoded, or is longer than any id, is a problem like others, with the same headers', async (t) => {
  const world = await openWorld(t);

  for (const target of ['/api/v1/runs/%zz', '/api/v1/runs/%ff', `/api/v1/runs/${'a'.repeat(600)}`, '/v1/models/%zz']) {
    const answer = await world.ask('GET', target, { token: world.token('admin') });
    assert.ok(answer.status >= 400 && answer.status < 500, target);
    assert.doesNotMatch(JSON.stringify(answer.json), /FST_|%zz/);
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff', target);
    assert.match(answer.headers.get('x-request-id') ?? '', /./, target);
  }
});

test('pages of other origins may send nothing, not even with a right token', async (t) => {
  const world = await openWorld(t);
  const token = world.token('admin');
  const body = { agent: 'main', input: 'hello' };

  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `http://127.0.0.1:${world.port + 1}` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    const answer = await world.ask('POST', '/api/v1/runs', { token, body, headers });
    assert.deepEqual([answer.status, answer.json.code], [403, 'gateway.foreign-origin'], JSON.stringify(headers));
  }
  assert.equal(world.admitted.length, 0);
  assert.equal((await world.ask('POST', '/api/v1/runs', { token, body, headers: { origin: world.url } })).status, 202);
});

test('a header that decides something and stands twice is refused', async (t) => {
  const world = await openWorld(t);
  const host = `Host: 127.0.0.1:${world.port}\r\n`;
  const token = `Authorization: Bearer ${world.token('viewer')}\r\n`;

  for (const twice of [token, 'X-Tenant-ID: default\r\n'])
    assert.match(await sendRaw(world.port, `GET /api/v1/runs HTTP/1.1\r\n${host}${token}${twice}${twice}\r\n`), /^HTTP\/1.1 400 /);
  assert.match(await sendRaw(world.port, `GET /healthz HTTP/1.1\r\n${host}${host}\r\n`), /^HTTP\/1.1 400 /);
});

test('bodies that two readers could read in two ways are refused, and nothing is started', async (t) => {
  const world = await openWorld(t);
  const token = world.token('submitter');
  const deep = `${'['.repeat(70)}${']'.repeat(70)}`;

  for (const [raw, status] of [
    ['{"agent":"main","agent":"other","input":"x"}', 400],
    ['{"agent":"main","\\u0061gent":"other","input":"x"}', 400],
    ['{"agent":"main","input":"x","__proto__":{"a":1}}', 400],
    ['{"agent":"main","input":"x","limits":{"constructor":{}}}', 400],
    [`{"agent":"main","input":"x","more":${deep}}`, 400],
    [Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), 400],
    ['\ufeff{"agent":"main","input":"x"}', 400],
    ['{"agent":"main","input":"half \\ud83d"}', 400],
    ['{"agent":"main","input":"x"', 400],
    ['', 400],
    ['"text"', 400],
    [`{"agent":"main","input":"${'x'.repeat(1024 * 1024)}"}`, 413],
    ['{"agent":"main","input":"x","unknown":1}', 400],
    ['{"agent":"../x","input":"x"}', 400],
    ['{"agent":"main","input":"x","notBefore":1e999}', 400],
  ] as const) {
    const answer = await world.ask('POST', '/api/v1/runs', { token, raw });
    assert.equal(answer.status, status, String(raw).slice(0, 80));
    assert.equal(answer.json.remedy, 'fix-request');
  }
  const form = await world.ask('POST', '/api/v1/runs', {
    token,
    raw: 'agent=main',
    headers: { 'content-type': 'application/x-www-form-urlencoded' },
  });
  assert.equal(form.status, 415);
  assert.equal(world.admitted.length, 0);
  assert.equal((await world.ask('POST', '/api/v1/runs', { token, raw: '{"agent":"main","input":"whole \\ud83d\\ude00"}' })).status, 202);
});

test('the same Idempotency-Key gives the same answer, another body with it is refused, another principal is not meant', async (t) => {
  const world = await openWorld(t);
  const token = world.token('submitter');
  const post = async (input: string, by = token): Promise<[number, string, string | null]> => {
    const answer = await world.ask('POST', '/api/v1/runs', {
      token: by,
      body: { agent: 'main', input },
      headers: { 'idempotency-key': 'k1' },
    });
    return [answer.status, answer.json.run ?? answer.json.code, answer.headers.get('idempotency-replayed')];
  };

  const [status, run] = await post('hello');
  assert.equal(status, 202);
  assert.deepEqual(await post('hello'), [202, run, 'true']);
  assert.deepEqual(await post('something else'), [422, 'gateway.other-request', null]);
  const [, theirs] = await post('hello', world.token('submitter'));
  assert.notEqual(theirs, run);
  assert.equal(world.admitted.length, 2);
  assert.notEqual(world.admitted[0]!.request.idempotencyKey, world.admitted[1]!.request.idempotencyKey);

  world.skip(24 * 60 * 60 * 1000 + 1000);
  assert.notEqual((await post('hello'))[1], run);
});

test('a refusal by quota names it, is not kept, and says when to come back', async (t) => {
  const world = await openWorld(t);
  const token = world.token('submitter');
  const headers = { 'idempotency-key': 'k' };
  world.quotas.set(parseTenantId('default'), { queuedTasks: 0 });

  const refused = await world.ask('POST', '/api/v1/runs', { token, body: { agent: 'main', input: 'x' }, headers });
  assert.equal(refused.status, 429);
  assert.deepEqual(refused.json.quota, { name: 'queuedTasks', limit: 0, used: 0 });
  assert.ok(Number(refused.headers.get('retry-after')) > 0);

  world.quotas.clear();
  assert.equal((await world.ask('POST', '/api/v1/runs', { token, body: { agent: 'main', input: 'x' }, headers })).status, 202);
  assert.equal((await world.ask('POST', '/api/v1/runs', { token, body: { agent: 'ghost', input: 'x' } })).status, 404);
});

test('a tenant has its requests a minute, another one has its own', async (t) => {
  const world = await openWorld(t);
  world.quotas.set(parseTenantId('acme'), { requestsPerMinute: 3 });
  const [flood, calm] = [world.token('viewer', 'acme'), world.token('viewer')];
  const statuses = [];
  for (let i = 0; i < 5; i += 1) statuses.push((await world.ask('GET', '/api/v1/runs', { token: flood })).status);

  assert.deepEqual(statuses, [200, 200, 200, 429, 429]);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: calm })).status, 200);
  world.skip(21_000);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: flood })).status, 200);
});

test('an address that guesses tokens is held off, and a token that was right a moment ago is not', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { failuresPerMinute: 5 } }));
  const [good, unused] = [world.token('viewer'), world.token('viewer')];
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: good })).status, 200);
  const statuses = [];
  for (let i = 0; i < 7; i += 1) statuses.push((await world.ask('GET', '/api/v1/runs', { token: `clh_guess${i}` })).status);

  assert.deepEqual(statuses, [401, 401, 401, 401, 401, 429, 429]);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: unused })).status, 429);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: good })).status, 200);
});

test('a failure of ours shows nothing of the inside and stands in the log under the id that the client got', async (t) => {
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    admit: async () => {
      throw new Error('SELECT * FROM /root/secret failed');
    },
  }));

  const answer = await world.ask('POST', '/api/v1/runs', { token: world.token('admin'), body: { agent: 'main', input: 'x' } });

  assert.equal(answer.status, 500);
  assert.doesNotMatch(answer.text, /SELECT|secret|root/);
  const line = world.lines.find(({ level }) => level === 'error');
  assert.equal(line?.fields?.['request_id'], answer.json.requestId);
  assert.match(String(line?.fields?.['error']), /SELECT/);
});

test('a disk that takes nothing is 503 with what to do, whoever met it, tells no path, and stands in the log', async (t) => {
  const full = Object.assign(new Error('database or disk is full: /srv/home/state.db'), { errcode: 13 });
  const thrown = [full, new Error('wrapped', { cause: full }), Object.assign(new Error('ENOSPC: write /srv/home'), { code: 'ENOSPC' })];
  const waiting = [...thrown];
  const world = await openWorld(t, (ctx) => ({ ...ctx, admit: async () => await Promise.reject(waiting.shift()) }));
  const token = world.token('admin');

  for (const _ of thrown) {
    const answer = await world.ask('POST', '/api/v1/runs', { token, body: { agent: 'main', input: 'x' } });
    assert.deepEqual([answer.status, answer.json.code, answer.json.remedy], [503, 'gateway.no-room', 'retry']);
    assert.ok(Number(answer.headers.get('retry-after')) > 0);
    assert.doesNotMatch(answer.text, /srv|ENOSPC|database/);
  }
  assert.equal(world.lines.filter(({ level, fields }) => level === 'error' && /srv|wrapped/.test(String(fields?.['error']))).length, 3);
});

test('a trace that comes in goes on, and one request has one line in the log with tenant and trace', async (t) => {
  const world = await openWorld(t);
  const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
  const headers = { traceparent: `00-${traceId}-00f067aa0ba902b7-01`, 'x-request-id': 'my-request' };

  const answer = await world.ask('POST', '/api/v1/runs', {
    token: world.token('submitter', 'acme'),
    body: { agent: 'main', input: 'x' },
    headers,
  });

  assert.match(answer.headers.get('traceparent') ?? '', new RegExp(`^00-${traceId}-`));
  assert.match(world.admitted[0]!.request.traceparent ?? '', new RegExp(`^00-${traceId}-`));
  assert.equal(answer.headers.get('x-request-id'), 'my-request');
  const line = world.lines.find(({ message }) => message === 'request');
  assert.deepEqual(
    [line?.fields?.['tenant_id'], line?.fields?.['trace_id'], line?.fields?.['request_id']],
    ['acme', traceId, 'my-request'],
  );
  assert.ok(!JSON.stringify(world.lines).includes('clh_'), 'a token is in the log');
});

test('lists have pages whose cursors lead through all of it', async (t) => {
  const world = await openWorld(t);
  const token = world.token('viewer');
  const session = newSessionId(1);
  const ids = Array.from({ length: 7 }, () => world.addRun({ session }).id).toReversed();
  world.addRun({ tenant: parseTenantId('acme') });

  const seen: string[] = [];
  let cursor = '';
  do {
    const { json } = await world.ask('GET', `/api/v1/runs?limit=3${cursor === '' ? '' : `&cursor=${cursor}`}`, { token });
    seen.push(...json.runs.map((row: { id: string }) => row.id));
    cursor = json.next ?? '';
  } while (cursor !== '');

  assert.deepEqual(seen.toSorted(), ids.toSorted());
  assert.equal((await world.ask('GET', `/api/v1/runs?limit=9999`, { token })).status, 400);
  assert.equal((await world.ask('GET', `/api/v1/runs?unknown=1`, { token })).status, 400);
});

test('answering a question puts its run on the queue, once, and a repeated answer repairs a lost one', async (t) => {
  const world = await openWorld(t);
  const run = world.addRun({ state: 'waiting' });
  const approval = world.addApproval(run);
  const token = world.token('approver');
  const post = async (answer: string, by = token): Promise<number> =>
    (await world.ask('POST', `/api/v1/approvals/${approval.id}/answer`, { token: by, body: { answer } })).status;

  assert.deepEqual((await world.ask('GET', `/api/v1/runs/${run.id}`, { token })).json.waiting, [approval.id]);
  assert.equal(await post('approved'), 200);
  assert.equal(await post('approved'), 200);
  assert.equal(await post('denied'), 409);
  assert.equal(await post('approved', world.token('approver')), 409);
  assert.deepEqual(new Set(world.resumed), new Set([run.id]));
});

test('a run can be waited for: the answer comes with its end', async (t) => {
  const world = await openWorld(t);
  const token = world.token('viewer');
  const run = world.addRun({ state: 'accepted' });

  const answer = world.ask('GET', `/api/v1/runs/${run.id}?wait=20`, { token });
  world.write(run, { kind: 'accepted' }, endEntry('done', 'late but here'));
  world.runs.update(run.id, { state: 'done' });

  const { json } = await answer;
  assert.deepEqual([json.run.state, json.output], ['done', 'late but here']);
});

test('an address that nothing may listen on is refused with one sentence, also when it is all of them', async (t) => {
  const world = await openWorld(t);

  for (const host of ['0.0.0.0', '::', '192.168.1.5', '10.0.0.1', '8.8.8.8', 'example.com', '::ffff:127.0.0.1', ''])
    await assert.rejects(openGateway({ ...world.ctx, serve: { host } }), { code: 'gateway.public-address', remedy: 'fix-request' });
  const second = await openGateway({ ...world.ctx, serve: { port: world.port } });
  await assert.rejects(second.listen(), { code: 'gateway.port-taken' });
  await second.close();
});

/** Addresses on which some socket of this machine listens at a port, as the kernel has them: in hexadecimal. */
function listenersAt(port: number): string[] {
  const wanted = port.toString(16).toUpperCase().padStart(4, '0');
  return ['/proc/net/tcp', '/proc/net/tcp6'].filter(fs.existsSync).flatMap((file) =>
    fs
      .readFileSync(file, 'utf8')
      .split('\n')
      .flatMap((line) => {
        const [, local = '', , state] = line.trim().split(/\s+/);
        const [address = '', at] = local.split(':');
        return state === '0A' && at === wanted ? [address] : [];
      }),
  );
}

const noKernelList = fs.existsSync('/proc/net/tcp') ? false : 'the kernel tells no listeners here';

test(
  'the gateway listens on 127.0.0.1 and nowhere else, by what the kernel says, and sabotage: a wider listener is seen',
  { skip: noKernelList },
  async (t) => {
    const world = await openWorld(t);
    const wide = net.createServer().listen(0, '0.0.0.0');
    await once(wide, 'listening');
    t.after(() => void wide.close());

    assert.deepEqual(listenersAt(world.port), ['0100007F']);
    assert.deepEqual(listenersAt((wide.address() as net.AddressInfo).port), ['00000000']);
  },
);

test('a webhook gets its bytes as they came, and a refused call learns nothing', async (t) => {
  const calls: { name: string; body: string; ip: string }[] = [];
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    fireWebhook: async ({ name, body, ip }) => {
      calls.push({ name, body: Buffer.from(body).toString(), ip });
      return name === 'build' ? { outcome: 'accepted', run: newRunId(1), session: newSessionId(1) } : { outcome: 'refused' };
    },
  }));

  const raw = '{"a":1,"a":2} not even JSON';
  assert.equal((await world.ask('POST', '/hooks/build', { raw, headers: { 'content-type': 'text/plain' } })).status, 202);
  const [refused, none] = [await world.ask('POST', '/hooks/other', { raw }), await world.ask('POST', '/hooks/..%2Fx', { raw })];
  assert.deepEqual([refused.status, refused.json.code], [404, 'gateway.webhook-refused']);
  assert.deepEqual([none.status, none.json.code], [404, 'gateway.webhook-refused']);
  assert.deepEqual(calls[0], { name: 'build', body: raw, ip: '127.0.0.1' });
  assert.equal((await world.ask('POST', '/hooks/build', { raw: 'x'.repeat(1024 * 1024 + 1) })).status, 413);
  assert.equal(calls.length, 3);
});

test('a secret is shown once: its answer is not kept, and its key gives no second look', async (t) => {
  const world = await openWorld(t);
  const token = world.token('admin');
  const create = async () =>
    await world.ask('POST', '/api/v1/tokens', { token, body: { roles: ['viewer'] }, headers: { 'idempotency-key': 'k' } });

  const { secret } = (await create()).json;
  const again = await create();

  assert.deepEqual([again.status, again.json.code], [409, 'gateway.shown-once']);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: secret })).status, 200);
  assert.equal((await world.ask('GET', '/api/v1/tokens', { token })).json.tokens.length, 2);
  for (const name of fs.readdirSync(world.home.dir, { recursive: true, encoding: 'utf8' })) {
    const file = path.join(world.home.dir, name);
    if (fs.statSync(file).isFile()) assert.ok(!fs.readFileSync(file).includes(secret), name);
  }
});

test('one tenant cannot hold so many connections that none is left for another', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { maxConnections: 20 } }));
  const floods = [world.token('viewer', 'acme'), world.token('viewer', 'acme')];
  const [flood, calm] = [world.token('viewer', 'acme'), world.token('viewer')];
  const run = world.addRun({ tenant: parseTenantId('acme'), state: 'running' });
  const gone = new AbortController();
  const stream = async (_: unknown, index: number): Promise<Response> =>
    await fetch(`${world.url}/api/v1/runs/${run.id}/events`, {
      headers: { authorization: `Bearer ${floods[index % 2]}` },
      signal: gone.signal,
    });
  const streams = await Promise.all(Array.from({ length: 10 }, stream));

  assert.deepEqual(new Set(streams.map(({ status }) => status)), new Set([200]));
  const refused = await world.ask('GET', '/api/v1/runs', { token: flood });
  assert.deepEqual([refused.status, refused.json.code], [429, 'gateway.too-many-at-once']);
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: calm })).status, 200);
  gone.abort();
  let after = 429;
  for (let i = 0; i < 100 && after === 429; i += 1) after = (await world.ask('GET', '/api/v1/runs', { token: flood })).status;
  assert.equal(after, 200);
});

test('one token cannot hold so many uploads that none is left for others of its tenant, and each counts until its connection ends', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { maxConnections: 20 } }));
  const [flood, calm] = [world.token('submitter', 'acme'), world.token('submitter', 'acme')];
  const head = `POST /api/v1/runs HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\nAuthorization: Bearer ${flood}\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{`;
  const sockets = await Promise.all(
    Array.from({ length: 5 }, async () => {
      const socket = net.connect(world.port, '127.0.0.1');
      await once(socket, 'connect');
      socket.write(head);
      return socket;
    }),
  );

  const list = async (token: string): Promise<number> => (await world.ask('GET', '/api/v1/runs', { token })).status;
  let refused = 200;
  for (let i = 0; i < 200 && refused === 200; i += 1) refused = await list(flood);
  const other = await list(calm);
  for (const socket of sockets) socket.destroy();
  let after = 429;
  for (let i = 0; i < 200 && after === 429; i += 1) after = await list(flood);

  assert.deepEqual([refused, other, after], [429, 200, 200]);
});

test('a suspended tenant’s question is not answered, so that the answer is not lost', async (t) => {
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    tenants: { ...ctx.tenants, get: (id) => ({ id, config: { version: 1 }, isActive: id !== 'acme' }) },
  }));
  const approval = world.addApproval(world.addRun({ tenant: parseTenantId('acme'), state: 'waiting' }));
  const token = world.token('approver', 'acme');

  const answer = await world.ask('POST', `/api/v1/approvals/${approval.id}/answer`, { token, body: { answer: 'approved' } });

  assert.deepEqual([answer.status, answer.json.code], [403, 'gateway.tenant-suspended']);
  assert.equal((await world.ask('GET', `/api/v1/approvals/${approval.id}`, { token })).json.approval.state, 'open');
});

test('a tenant that is gone or whose file is wrong is closed', async (t) => {
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    tenants: {
      ...ctx.tenants,
      get: (id) => {
        if (id === 'broken') throw new FixRequestError('test.bad-file', 'tenants/broken/tenant.yaml:3 is wrong.');
        return id === 'deleted' ? undefined : ctx.tenants.get(id);
      },
    },
  }));

  for (const tenant of ['broken', 'deleted']) {
    const answer = await world.ask('GET', '/api/v1/runs', { token: world.token('admin', tenant) });
    assert.deepEqual([answer.status, answer.json.code], [403, 'gateway.tenant-closed']);
    assert.doesNotMatch(answer.text, /yaml/);
  }
});

test('where the configuration wants another person, the token that asked for a run does not answer its question', async (t) => {
  let distinctApprover = true;
  const world = await openWorld(t, (ctx) => ({ ...ctx, approvals: () => ({ distinctApprover }) }));
  const approval = world.addApproval(world.addRun({ state: 'waiting' }));
  const asked = approval.request.principal.id;
  const other = world.token(['submitter', 'approver']);
  const ids = (): readonly string[] => world.ctx.tokens.list(parseTenantId('default')).map((one) => one.id);
  const before = ids();
  const own = world.token(['submitter', 'approver']);
  const id = ids().find((one) => !before.includes(one)) ?? '';
  const mine = world.addApproval(world.addRun({ state: 'waiting' }), { principal: { kind: 'service', id } });
  const answer = async (token: string) =>
    await world.ask('POST', `/api/v1/approvals/${mine.id}/answer`, { token, body: { answer: 'approved' } });

  const refused = await answer(own);
  const taken = await answer(other);
  distinctApprover = false;
  const again = world.addApproval(world.addRun({ state: 'waiting' }), { principal: { kind: 'service', id } });
  const alone = await world.ask('POST', `/api/v1/approvals/${again.id}/answer`, { token: own, body: { answer: 'approved' } });

  assert.notEqual(asked, id);
  assert.deepEqual([refused.status, refused.json.code], [403, 'gateway.same-person']);
  assert.deepEqual([taken.status, alone.status], [200, 200]);
});

test('an agent that cannot start is 409 for everybody, and only operators of the platform see the file and line', async (t) => {
  const why = 'policies/platform.yaml:7: rules has a mistake.';
  let isPlatforms = true;
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    agents: { ...ctx.agents, show: async (_tenant, agent) => ({ agent, isPlatforms, why }) },
  }));
  const who = { operator: world.token('operator'), viewer: world.token('viewer'), tenant: world.token('admin', 'acme') };
  const body = { id: 'daily', agent: 'main', message: 'x', when: { every: '1h' } };

  const shown = await Promise.all(Object.values(who).map(async (token) => await world.ask('GET', '/api/v1/agents/main', { token })));
  const added = await Promise.all(
    [who.operator, who.tenant].map(async (token) => await world.ask('POST', '/api/v1/schedules', { token, body })),
  );
  isPlatforms = false;
  const own = await world.ask('GET', '/api/v1/agents/main', { token: who.tenant });

  for (const { status, json } of [...shown, ...added]) assert.deepEqual([status, json.code], [409, 'control.agent-invalid']);
  assert.deepEqual(
    [...shown, ...added].map(({ text }) => text.includes('platform.yaml:7')),
    [true, false, false, true, false],
  );
  assert.match(shown[2]?.json.detail, /the policy of the platform does not load\. Tell whoever runs this installation\./);
  assert.match(own.json.detail, /its configuration or a policy is not valid/);
});
