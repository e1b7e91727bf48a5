import assert from 'node:assert/strict';
import type http from 'node:http';
import { test, type TestContext } from 'node:test';
import { openEdge, type Edge, type EdgeOptions } from './edge.ts';
import { fetchGrants, fetchThroughEdge, type Fetched, type FetchOptions, type FetchRequest } from './fetch.ts';
import { authority, clock, openServer, recorder, run, type Recorder, type Seen, type TestServer } from './fixtures/edge-fixture.ts';

// not-a-secret: made up for this test
const value = 'ghp_0123456789abcdefghij0123456789abcdef';

interface World {
  readonly edge: Edge;
  readonly ledger: Recorder;
  readonly server: TestServer;
  readonly base: string;
  get(path: string, more?: Partial<FetchRequest>, options?: Partial<FetchOptions>): Promise<Fetched>;
}

async function open(
  t: TestContext,
  handler: (request: Seen, response: http.ServerResponse) => void,
  more: (port: number) => Partial<EdgeOptions> = () => ({}),
): Promise<World> {
  const server = await openServer(t, handler, { secure: true });
  const at = `api.test:${server.port}`;
  const ledger = recorder();
  const edge = openEdge({
    run,
    ledger,
    clock,
    grants: fetchGrants({ hosts: [at], methods: ['GET', 'POST'] }),
    secrets: [{ name: 'GITHUB_TOKEN', value, hosts: [at], place: [{ in: 'header', name: 'authorization' }] }],
    lookup: async () => ['127.0.0.1'],
    allowLoopback: [at, `other.test:${server.port}`],
    upstreamCa: authority.certificatePem,
    ...more(server.port),
  });
  return {
    edge,
    ledger,
    server,
    base: `https://${at}`,
    get: async (path, request, options) =>
      await fetchThroughEdge(
        edge,
        { url: path.startsWith('/') ? `https://${at}${path}` : path, ...request },
        { signal: AbortSignal.timeout(10_000), maxBytes: 1000, ...options },
      ),
  };
}

test('a granted host is fetched, and recorded', async (t) => {
  const at = await open(t, (_, response) => response.writeHead(200, { 'content-type': 'text/plain' }).end('hello'));

  const fetched = await at.get('/x?y=1');

  assert.deepEqual([fetched.status, fetched.body.toString(), fetched.isCut, fetched.url], [200, 'hello', false, `${at.base}/x?y=1`]);
  assert.deepEqual([at.ledger.opens()[0]?.mode, at.ledger.closes()[0]?.outcome], ['fetch', 'done']);
});

test('a secret is written by its name, and never seen', async (t) => {
  const at = await open(t, (request, response) =>
    response.writeHead(200, { 'x-echo': request.headers.authorization }).end(`you are ${request.headers.authorization}`),
  );

  const fetched = await at.get('/', { headers: { Authorization: 'Bearer {{secret:GITHUB_TOKEN}}', 'X-Other': '{{secret:NO_SUCH}}' } });

  assert.equal(at.server.seen[0]?.headers.authorization, `Bearer ${value}`);
  assert.equal(at.server.seen[0]?.headers['x-other'], '{{secret:NO_SUCH}}');
  assert.equal(fetched.body.toString(), 'you are Bearer {{secret:GITHUB_TOKEN}}');
  assert.equal(fetched.headers.find(([name]) => name === 'x-echo')?.[1], 'Bearer {{secret:GITHUB_TOKEN}}');
});

test('without methods a grant is for GET and HEAD, and without hosts for nothing', () => {
  assert.deepEqual(fetchGrants({ hosts: ['a.example.org'] }), [{ host: 'a.example.org', port: 443, methods: ['GET', 'HEAD'] }]);
  assert.deepEqual([fetchGrants({}), fetchGrants(undefined), fetchGrants([])], [[], [], []]);
  assert.throws(() => fetchGrants({ hosts: ['*'] }), { code: 'broker.bad-egress-grant' });
});

for (const method of ['DELETE', 'CONNECT', 'TRACE']) {
  test(`a method that is not granted is refused: ${method}`, async (t) => {
    const at = await open(t, (_, response) => response.end());

    await assert.rejects(async () => await at.get('/', { method }), { code: 'egress.not-granted' });
    assert.equal(at.server.connections, 0);
  });
}

const urls: readonly (readonly [url: string, code: string])[] = [
  ['https://evil.test/', 'egress.not-granted'],
  ['https://api.test/', 'egress.not-granted'],
  ['https://api.test@evil.test/', 'egress.bad-request'],
  ['https://evil.test\\@api.test/', 'egress.bad-request'],
  ['https://api.test\\.evil.test/', 'egress.bad-request'],
  ['https://api.test\t.evil.test/', 'egress.bad-request'],
  ['https:///api.test/', 'egress.bad-request'],
  ['https:api.test', 'egress.bad-request'],
  ['file:///etc/passwd', 'egress.bad-request'],
  ['http://127.0.0.1/', 'egress.bad-host'],
  ['http://2130706433/', 'egress.bad-host'],
  ['http://0x7f.1/', 'egress.bad-host'],
  ['http://[::ffff:127.0.0.1]/', 'egress.bad-host'],
  ['http://169.254.169.254/latest/meta-data', 'egress.bad-host'],
  ['http://localhost/', 'egress.bad-host'],
  ['https://api。test/', 'egress.bad-host'],
  ['https://ａpi.test/', 'egress.bad-host'],
  ['https://api.test./', 'egress.bad-host'],
  ['https://{{secret:GITHUB_TOKEN}}.evil.test/', 'egress.bad-host'],
  ['', 'egress.bad-request'],
];
for (const [url, code] of urls) {
  test(`refused: ${JSON.stringify(url)}`, async (t) => {
    const at = await open(t, (_, response) => response.end());

    await assert.rejects(async () => await at.get(url === '' ? 'x' : url), { code });
    assert.equal(at.server.connections, 0);
  });
}

for (const [name, headers] of [
  ['Host', { Host: 'evil.test' }],
  ['Content-Length', { 'content-length': '1' }],
  ['a line break', { x: 'a\r\nHost: evil.test' }],
  ['a name with a space', { 'x y': '1' }],
  ['Connection', { connection: 'x' }],
] as const) {
  test(`a header that would change the request is refused: ${name}`, async (t) => {
    const at = await open(t, (_, response) => response.end());

    await assert.rejects(async () => await at.get('/', { headers }), { code: 'egress.bad-request' });
    assert.equal(at.server.connections, 0);
  });
}

test('a redirect within the grant is followed, and policy is asked of it', async (t) => {
  const at = await open(t, (request, response) =>
    request.url === '/a' ? response.writeHead(302, { location: '/b' }).end() : response.end('there'),
  );
  const hops: string[] = [];

  const fetched = await at.get('/a', {}, { redirectFault: (hop) => void hops.push(hop.url) });

  assert.equal(fetched.body.toString(), 'there');
  assert.deepEqual(hops, [`${at.base}/b`]);
  assert.deepEqual([fetched.url, fetched.redirects], [`${at.base}/b`, [`${at.base}/a`]]);
});

const redirects: readonly (readonly [name: string, location: (port: number) => string, code: string])[] = [
  ['an unlisted host', (port) => `https://evil.test:${port}/`, 'egress.not-granted'],
  ['an unlisted host without a scheme', (port) => `//evil.test:${port}/`, 'egress.not-granted'],
  ['an unlisted host behind backslashes', (port) => `\\\\evil.test:${port}/`, 'egress.bad-request'],
  ['the metadata service', () => 'http://169.254.169.254/', 'egress.bad-host'],
  ['plain http', (port) => `http://api.test:${port}/`, 'egress.bad-answer'],
  ['a file', () => 'file:///etc/passwd', 'egress.bad-request'],
  ['itself, for ever', () => '/', 'egress.bad-answer'],
  ['a user in front', (port) => `https://api.test:${port}@evil.test/`, 'egress.bad-request'],
];
for (const [name, location, code] of redirects) {
  test(`a redirect is refused to ${name}`, async (t) => {
    let port = 0;
    const at = await open(t, (_, response) => response.writeHead(302, { location: location(port) }).end());
    ({ port } = at.server);

    await assert.rejects(async () => await at.get('/'), { code });
    assert.ok(at.server.seen.length >= 1);
  });
}

test('policy’s word refuses a hop that the grant would let through', async (t) => {
  const at = await open(t, (_, response) => response.writeHead(302, { location: '/private' }).end());

  await assert.rejects(
    async () => await at.get('/', {}, { redirectFault: ({ url }) => (url.endsWith('/private') ? 'a rule denies it' : undefined) }),
    /a rule denies it/,
  );
  assert.equal(at.server.seen.length, 1);
});

test('credentials do not follow a redirect to another host, and a server’s word puts no secret in', async (t) => {
  let port = 0;
  const at = await open(
    t,
    (request, response) =>
      request.url === '/'
        ? response.writeHead(307, { location: `https://other.test:${port}/?k={{secret:GITHUB_TOKEN}}` }).end()
        : response.end(JSON.stringify(request)),
    (given) => ({ grants: fetchGrants({ hosts: [`api.test:${given}`, `other.test:${given}`] }) }),
  );
  ({ port } = at.server);

  // The test server's certificate is for api.test only, so the second hop ends at TLS: nothing was sent to it.
  await assert.rejects(async () => await at.get('/', { headers: { authorization: '{{secret:GITHUB_TOKEN}}', cookie: 'a=b' } }), {
    code: 'egress.unreachable',
  });
  assert.equal(at.server.seen.length, 1);
});

test('a redirect of a request that changes something is not followed', async (t) => {
  const at = await open(t, (_, response) => response.writeHead(307, { location: '/b' }).end());

  const fetched = await at.get('/a', { method: 'POST', body: 'x' });

  assert.equal(fetched.status, 307);
  assert.equal(at.server.seen.length, 1);
});

test('a long answer is cut at the limit and says so', async (t) => {
  const at = await open(t, (_, response) => response.end('x'.repeat(100_000)));

  const fetched = await at.get('/');

  assert.deepEqual([fetched.body.length, fetched.isCut], [1000, true]);
  assert.equal(at.ledger.closes()[0]?.outcome, 'done');
});

test('an aborted request ends, and its end is recorded', async (t) => {
  const at = await open(t, () => undefined);
  const stop = new AbortController();
  const pending = at.get('/', {}, { signal: stop.signal });
  while (at.server.seen.length === 0) await new Promise((resolve) => setTimeout(resolve, 5));

  stop.abort();

  await assert.rejects(async () => await pending, { code: 'egress.closed' });
  assert.equal(at.ledger.closes()[0]?.outcome, 'egress.closed');
});
