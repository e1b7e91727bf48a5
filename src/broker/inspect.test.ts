import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import type http from 'node:http';
import net from 'node:net';
import fs from 'node:fs';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import zlib from 'node:zlib';
import {
  exchange,
  joined,
  openFixture,
  openRawServer,
  openServer,
  openTunnel,
  requestSecurely,
  type Fixture,
  type Seen,
  type TestServer,
} from './fixtures/edge-fixture.ts';
import type { Placement, Secret } from './secrets.ts';

// not-a-secret: made up for this test
const value = 'ghp_0123456789abcdefghij0123456789abcdef';
const header: readonly Placement[] = [{ in: 'header', name: 'authorization' }];

interface Place extends Fixture {
  readonly server: TestServer;
  readonly token: string;
  /** One HTTPS request through the proxy, as the sandbox would make it. */
  ask(request: string, host?: string): Promise<string>;
}

async function open(
  t: TestContext,
  options: {
    readonly place?: readonly Placement[];
    readonly handler?: (request: Seen, response: http.ServerResponse) => void;
    readonly grant?: object;
    readonly limits?: object;
  } = {},
): Promise<Place> {
  const server = await openServer(t, options.handler ?? ((_, response) => response.end('ok')), { secure: true });
  const at = `api.test:${server.port}`;
  const secret: Secret = { name: 'GITHUB_TOKEN', value, hosts: [at], place: options.place ?? header };
  const fixture = await openFixture(t, {
    grants: [
      { host: 'api.test', port: server.port, ...options.grant },
      { host: 'other.test', port: server.port },
    ],
    allowLoopback: [at, `other.test:${server.port}`],
    secrets: [secret],
    ...(options.limits === undefined ? {} : { limits: options.limits }),
  });
  const token = fixture.edge.placeholders.get('GITHUB_TOKEN')!;
  const ca = fixture.edge.certificates();
  return {
    ...fixture,
    server,
    token,
    ask: async (request, host = 'api.test') =>
      await requestSecurely(fixture.socketPath, `${host}:${server.port}`, { head: request.replaceAll('AT', `${host}:${server.port}`), ca }),
  };
}

const get = (more = '', target = '/'): string => `GET ${target} HTTP/1.1\r\nHost: AT\r\n${more}Connection: close\r\n\r\n`;
const post = (body: string, { type = 'application/json', target = '/', more = '' } = {}): string =>
  `POST ${target} HTTP/1.1\r\nHost: AT\r\nContent-Type: ${type}\r\n${more}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`;

test('a placeholder looks like a key of its kind, holds nothing of it, and is another in each run', async (t) => {
  const [one, two] = [await open(t), await open(t)];

  assert.match(one.token, /^ghp_chp[0-9a-f]{40}$/);
  assert.notEqual(one.token, two.token);
  for (let at = 4; at + 8 <= value.length; at += 1) assert.ok(!one.token.includes(value.slice(at, at + 8)));
});

test('the placeholder becomes the secret in the declared header, for its host', async (t) => {
  const place = await open(t);

  const answer = await place.ask(get(`Authorization: Bearer ${place.token}\r\nX-Other: ${place.token}\r\n`));

  assert.match(answer, /200/);
  assert.equal(place.server.seen[0]?.headers.authorization, `Bearer ${value}`);
  assert.equal(place.server.seen[0]?.headers['x-other'], place.token);
  const [event] = place.ledger.opens();
  assert.deepEqual([event?.mode, event?.method, event?.secrets], ['inspected', 'GET', ['GITHUB_TOKEN']]);
  assert.ok(!JSON.stringify(place.ledger.events).includes(value));
});

test('a password behind base 64 is found', async (t) => {
  const place = await open(t);

  await place.ask(get(`Authorization: Basic ${Buffer.from(`user:${place.token}`).toString('base64')}\r\n`));

  assert.equal(place.server.seen[0]?.headers.authorization, `Basic ${Buffer.from(`user:${value}`).toString('base64')}`);
});

test('a call to another host leaves with the placeholder', async (t) => {
  const place = await open(t);
  const { port } = await openServer(t, (request, response) => response.end(request.headers.authorization), {});
  const other = await openFixture(t, {
    allow: [`other.test:${port}`],
    secrets: [{ name: 'GITHUB_TOKEN', value, hosts: [`api.test:${port}`], place: header }],
  });
  const token = other.edge.placeholders.get('GITHUB_TOKEN')!;

  const answer = await exchange(
    other.socketPath,
    `GET http://other.test:${port}/ HTTP/1.1\r\nHost: other.test:${port}\r\nAuthorization: Bearer ${token}\r\nConnection: close\r\n\r\n`,
  );

  assert.ok(joined(answer).includes(`Bearer ${token}`));
  assert.deepEqual(other.ledger.opens()[0]?.secrets, []);
  assert.ok(place.token !== token);
});

test('another run’s placeholder, and the secret’s name, are worth nothing', async (t) => {
  const [one, two] = [await open(t), await open(t)];

  await one.ask(get(`Authorization: Bearer ${two.token}\r\n`));
  await one.ask(get(`Authorization: Bearer {{secret:GITHUB_TOKEN}}\r\n`));

  assert.deepEqual(
    one.server.seen.map((seen) => seen.headers.authorization),
    [`Bearer ${two.token}`, 'Bearer {{secret:GITHUB_TOKEN}}'],
  );
});

test('in query and body the secret stands only where method and path are pinned', async (t) => {
  const place = await open(t, {
    place: [
      { in: 'body', method: 'POST', path: '/login' },
      { in: 'query', method: 'GET', path: '/search' },
    ],
  });
  const body = JSON.stringify({ key: place.token });

  await place.ask(post(body, { target: '/login' }));
  await place.ask(post(body, { target: '/notes' }));
  await place.ask(post(`key=${place.token}`, { target: '/login', type: 'application/x-www-form-urlencoded' }));
  await place.ask(get('', `/search?key=${place.token}`));
  await place.ask(get('', `/other?key=${place.token}`));
  await place.ask(get(`Authorization: Bearer ${place.token}\r\n`));

  const { seen } = place.server;
  assert.deepEqual(
    seen.map((one) => one.body),
    [JSON.stringify({ key: value }), body, `key=${value}`, '', '', ''],
  );
  assert.deepEqual(
    seen.slice(3, 5).map((one) => one.url),
    [`/search?key=${value}`, `/other?key=${place.token}`],
  );
  assert.equal(seen[5]?.headers.authorization, `Bearer ${place.token}`);
});

test('a secret with special letters is written as its place demands', async (t) => {
  const odd = 'a"b\\c&d=e f+g%h';
  const server = await openServer(t, (_, response) => response.end(`echo ${odd} ${encodeURIComponent(odd)} ${JSON.stringify(odd)}`), {
    secure: true,
  });
  const at = `api.test:${server.port}`;
  const fixture = await openFixture(t, {
    allow: [at],
    secrets: [
      {
        name: 'ODD',
        value: odd,
        hosts: [at],
        place: [
          { in: 'body', method: 'POST', path: '/' },
          { in: 'query', method: 'POST', path: '/' },
        ],
      },
    ],
  });
  const token = fixture.edge.placeholders.get('ODD')!;
  const ca = fixture.edge.certificates();
  const send = async (type: string, body: string): Promise<string> =>
    await requestSecurely(fixture.socketPath, at, { head: post(body, { type, target: `/?q=${token}` }).replaceAll('AT', at), ca });

  const answer = await send('application/json', JSON.stringify({ a: token, b: [token] }));
  await send('application/x-www-form-urlencoded', `a=${token}`);

  assert.deepEqual(JSON.parse(server.seen[0]!.body), { a: odd, b: [odd] });
  assert.equal(new URLSearchParams(server.seen[1]!.body).get('a'), odd);
  assert.equal(new URL(server.seen[0]!.url, 'https://x').searchParams.get('q'), odd);
  for (const form of [odd, encodeURIComponent(odd), JSON.stringify(odd).slice(1, -1)]) assert.ok(!joined(answer).includes(form));
});

test('a body that is too large to look through is refused where a secret could stand', async (t) => {
  const place = await open(t, { place: [{ in: 'body', method: 'POST', path: '/login' }], limits: { swapBytes: 100 } });

  assert.match(await place.ask(post('x'.repeat(200), { target: '/login' })), /egress\.too-large/);
  assert.match(await place.ask(post('x'.repeat(200), { target: '/notes' })), /200/);
  assert.equal(place.server.seen.length, 1);
});

const base64 = Buffer.from(value).toString('base64');
const echoes: readonly (readonly [name: string, body: Buffer, headers: http.OutgoingHttpHeaders])[] = [
  ['as it is', Buffer.from(`you sent ${value}!`), {}],
  ['in base 64', Buffer.from(base64), {}],
  ['in base 64 behind a user', Buffer.from(Buffer.from(`me:${value}`).toString('base64')), {}],
  ['in base 64 behind a longer user', Buffer.from(Buffer.from(`user:${value}`).toString('base64url')), {}],
  ['in hexadecimal', Buffer.from(Buffer.from(value).toString('hex')), {}],
  ['in a header', Buffer.from('x'), { 'x-echo': `Bearer ${value}` }],
  ['in a redirect', Buffer.from('x'), { location: `https://evil.test/?k=${value}` }],
  ['packed with gzip', zlib.gzipSync(value), { 'content-encoding': 'gzip' }],
  ['packed with deflate', zlib.deflateSync(value), { 'content-encoding': 'deflate' }],
  ['packed with brotli', zlib.brotliCompressSync(value), { 'content-encoding': 'br' }],
  ['packed with zstd', zlib.zstdCompressSync(value), { 'content-encoding': 'zstd' }],
  ['packed twice', zlib.brotliCompressSync(zlib.gzipSync(value)), { 'content-encoding': 'gzip, br' }],
];
for (const [name, body, headers] of echoes) {
  test(`a server that sends the secret back does not show it: ${name}`, async (t) => {
    const place = await open(t, { handler: (_, response) => response.writeHead(200, headers).end(body) });

    const answer = await place.ask(get(`Authorization: Bearer ${place.token}\r\n`));

    assert.match(answer, /^HTTP\/1\.1 200/);
    for (const form of [value, base64.slice(3, -3), Buffer.from(value).toString('hex')]) assert.ok(!joined(answer).includes(form), answer);
    assert.ok(joined(answer).includes(place.token), answer);
  });
}

test('a secret that comes back in drops of one byte does not show', async (t) => {
  const place = await open(t, {
    handler: (_, response) => {
      for (const letter of `<${value}>`) response.write(letter);
      response.end();
    },
  });

  const answer = await place.ask(get());

  const body = joined(answer).split('\r\n\r\n')[1];
  assert.equal(body, `<${place.token}>`);
});

test('an answer in an unknown packing, a false one, and one that unpacks without end are refused', async (t) => {
  const bomb = zlib.gzipSync(Buffer.alloc(5_000_000));
  const cases = [
    [Buffer.from('x'), 'compress'],
    [Buffer.from('not gzip'), 'gzip'],
    [bomb, 'gzip'],
  ] as const;
  for (const [body, encoding] of cases) {
    const place = await open(t, {
      handler: (_, response) => response.writeHead(200, { 'content-encoding': encoding }).end(body),
      limits: { bytesDown: 1_000_000 },
    });

    const answer = await place.ask(get());

    assert.ok(answer.length < 2_000_000);
    assert.notEqual(place.ledger.closes()[0]?.outcome, 'done');
  }
});

test('the client is not offered packing when there is something to hide', async (t) => {
  const place = await open(t);

  await place.ask(get('Accept-Encoding: gzip, br\r\n'));

  assert.equal(place.server.seen[0]?.headers['accept-encoding'], 'identity');
});

test('a grant of methods and paths is checked inside the tunnel, each request anew', async (t) => {
  const place = await open(t, { grant: { methods: ['GET'], paths: ['/public/**'] } });

  const answers = [
    await place.ask(get('', '/public/a')),
    await place.ask(post('x', { target: '/public/a' })),
    await place.ask(get('', '/private')),
    await place.ask(get('', '/public/../private')),
  ];

  assert.deepEqual(
    answers.map((answer) => answer.slice(9, 12)),
    ['200', '403', '403', '403'],
  );
  const two = await place.ask(get('', '/public/a').replace('Connection: close\r\n', '') + get('', '/private'));
  assert.ok(two.includes('200') && two.includes('egress.not-granted'));
  assert.deepEqual(
    place.server.seen.map((seen) => seen.url),
    ['/public/a', '/public/a'],
  );
});

test('a Host header of another server inside the tunnel is refused', async (t) => {
  const place = await open(t);

  assert.match(await place.ask(`GET / HTTP/1.1\r\nHost: evil.test\r\n\r\n`), /egress\.bad-host/);
  assert.equal(place.server.connections, 0);
});

test('a server that cannot prove its name gets nothing', async (t) => {
  const server = await openServer(t, (_, response) => response.end('ok'), { secure: true, name: 'another.test' });
  const at = `api.test:${server.port}`;
  const fixture = await openFixture(t, { allow: [at], secrets: [{ name: 'K', value, hosts: [at], place: header }] });

  const answer = await requestSecurely(fixture.socketPath, at, {
    head: get(`Authorization: ${fixture.edge.placeholders.get('K')}\r\n`).replaceAll('AT', at),
    ca: fixture.edge.certificates(),
  });

  assert.match(answer, /egress\.unreachable/);
  assert.equal(server.seen.length, 0);
});

test('plain HTTP in an inspected tunnel is checked like any request, and no secret goes into it beyond this machine', async (t) => {
  const server = await openServer(t, (request, response) => response.end(String(request.headers.authorization)));
  const at = `api.test:${server.port}`;
  const fixture = await openFixture(t, { allow: [at], secrets: [{ name: 'K', value, hosts: [at], place: header }] });
  const token = fixture.edge.placeholders.get('K')!;
  const { socket } = await openTunnel(fixture.socketPath, at);

  socket.write(get(`Authorization: ${token}\r\n`).replaceAll('AT', at));
  const parts: Buffer[] = [];
  for await (const part of socket) parts.push(part as Buffer);

  // A test server on loopback gets it, and its echo is hidden again.
  assert.equal(server.seen[0]?.headers.authorization, value);
  assert.ok(joined(Buffer.concat(parts).toString()).includes(token));
  assert.ok(!joined(Buffer.concat(parts).toString()).includes(value));
});

test('an error of the server does not show the secret either', async (t) => {
  const server = await openRawServer(t, (socket) => socket.end(`HTTP/1.1 500 ${value}\r\nX-Error: ${value}\r\n\r\nfailed: ${value}`));
  const at = `api.test:${server.port}`;
  const fixture = await openFixture(t, { allow: [at], secrets: [{ name: 'K', value, hosts: [at], place: header }] });

  const answer = await exchange(fixture.socketPath, `GET http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nConnection: close\r\n\r\n`);

  assert.match(answer, /^HTTP\/1\.1 500/);
  assert.ok(!joined(answer).includes(value));
});

const programs = {
  curl: ['-sS', '--max-time', '10'],
};
for (const [program, args] of Object.entries(programs)) {
  test(`${program} works through the proxy with a secret it never sees`, async (t) => {
    const place = await open(t, { handler: (request, response) => response.end(`got ${request.headers.authorization}`) });
    const ca = path.join(place.dir, 'ca.pem');
    fs.writeFileSync(ca, place.edge.certificates());
    const bridge = net.createServer((client) =>
      client
        .on('error', () => undefined)
        .pipe(net.connect(place.socketPath))
        .on('error', () => undefined)
        .pipe(client),
    );
    await new Promise<void>((resolve) => bridge.listen(0, '127.0.0.1', resolve));
    t.after(() => bridge.close());
    const url = `https://api.test:${place.server.port}/v1`;
    const proxy = `http://127.0.0.1:${(bridge.address() as net.AddressInfo).port}`;

    const run = await promisify(execFile)(
      program,
      [...args, '--cacert', ca, '--proxy', proxy, '-H', `Authorization: Bearer ${place.token}`, url],
      { env: {} },
    ).catch((error: Error & { code?: string }) => error);

    if (run instanceof Error && run.code === 'ENOENT') return t.skip(`${program} is not installed`);
    assert.ok(!(run instanceof Error), 'stderr' in run ? run.stderr : '');
    assert.equal(run.stdout, `got Bearer ${place.token}`);
    assert.equal(place.server.seen[0]?.headers.authorization, `Bearer ${value}`);
  });
}
