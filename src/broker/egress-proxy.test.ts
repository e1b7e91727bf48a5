import assert from 'node:assert/strict';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'node:test';
import { openEdge } from './edge.ts';
import { startEgressProxy } from './egress-proxy.ts';
import {
  authority,
  clock,
  exchange,
  openFixture,
  openRawServer,
  openServer,
  openTunnel,
  recorder,
  requestSecurely,
  run,
} from './fixtures/edge-fixture.ts';

const ask = (port: number, line = '/x', headers = ''): string =>
  `GET http://api.test:${port}${line} HTTP/1.1\r\nHost: api.test:${port}\r\n${headers}Connection: close\r\n\r\n`;

test('a granted host is reached over plain HTTP, and the ledger has both ends', async (t) => {
  const server = await openServer(t, (_, response) => response.end('hello'));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

  const answer = await exchange(socketPath, ask(server.port));

  assert.match(answer, /^HTTP\/1\.1 200[^]*hello$/);
  assert.equal(server.seen[0]?.headers.host, `api.test:${server.port}`);
  const [open, close] = [ledger.opens()[0]!, ledger.closes()[0]!];
  assert.deepEqual([open.mode, open.host, open.addresses, open.method], ['http', 'api.test', ['127.0.0.1'], 'GET']);
  assert.deepEqual([close.connection, close.outcome, close.status], [open.connection, 'done', 200]);
  assert.ok(close.bytesUp > 20 && close.bytesDown > 5);
});

test('several requests go over one connection, and each is recorded', async (t) => {
  const server = await openServer(t, (request, response) => response.end(request.url));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });
  const one = (line: string): string => ask(server.port, line).replace('Connection: close\r\n', '');

  const answer = await exchange(socketPath, one('/first') + one('/second') + ask(server.port, '/third'));

  assert.deepEqual([...answer.matchAll(/\/(?:first|second|third)/g)].map(String), ['/first', '/second', '/third']);
  assert.equal(server.connections, 1);
  assert.deepEqual(
    ledger.closes().map((event) => event.outcome),
    ['done', 'done', 'done'],
  );
});

test('a tunnel carries TLS to the granted host', async (t) => {
  const server = await openServer(t, (_, response) => response.end('secret hello'), { secure: true });
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

  const answer = await requestSecurely(socketPath, `api.test:${server.port}`, {
    head: 'GET / HTTP/1.1\r\nHost: api.test\r\nConnection: close\r\n\r\n',
    ca: authority.certificatePem,
  });

  assert.match(answer, /secret hello/);
  for (let n = 0; n < 100 && ledger.closes().length === 0; n += 1) await sleep(10);
  assert.deepEqual([ledger.opens()[0]?.mode, ledger.closes()[0]?.outcome], ['tunnel', 'done']);
  assert.ok(ledger.closes()[0]!.bytesDown > 100);
});

const hosts: readonly (readonly [name: string, host: string, code: string])[] = [
  ['another host', 'evil.test', 'egress.not-granted'],
  ['another port', 'api.test:1', 'egress.not-granted'],
  ['loopback', '127.0.0.1', 'egress.bad-host'],
  ['loopback in decimal', '2130706433', 'egress.bad-host'],
  ['loopback in hexadecimal', '0x7f000001', 'egress.bad-host'],
  ['loopback in hexadecimal parts', '0x7f.0.0.0x1', 'egress.bad-host'],
  ['loopback in octal', '0177.0.0.1', 'egress.bad-host'],
  ['loopback, short', '127.1', 'egress.bad-host'],
  ['the metadata address', '169.254.169.254', 'egress.bad-host'],
  ['loopback in IPv6', '[::1]', 'egress.bad-host'],
  ['a mapped address', '[::ffff:127.0.0.1]', 'egress.bad-host'],
  ['localhost', 'localhost', 'egress.bad-host'],
  ['a trailing dot', 'api.test.', 'egress.bad-host'],
  ['a user in front', 'api.test@evil.test', 'egress.bad-host'],
  ['a user behind', 'evil.test#@api.test', 'egress.bad-request'],
  ['Unicode digits', '①②⑦.⓪.⓪.①', 'egress.bad-request'],
  ['a full-width dot', 'api%ef%bc%8etest', 'egress.bad-host'],
  ['punycode', 'xn--pi-1ja.test', 'egress.not-granted'],
  ['an empty name', '', 'egress.bad-host'],
  ['a NUL', 'api.test%00.evil.test', 'egress.bad-host'],
  ['port zero', 'api.test:0', 'egress.bad-host'],
  ['a port beyond all', 'api.test:65536', 'egress.bad-host'],
];
for (const [name, host, code] of hosts) {
  test(`refused and recorded: ${name}`, async (t) => {
    const server = await openServer(t, (_, response) => response.end('inside'));
    const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });
    const at = host.includes(':') || host.startsWith('[') ? host : `${host}:${server.port}`;

    const plain = await exchange(socketPath, Buffer.from(`GET http://${at}/ HTTP/1.1\r\nHost: ${at}\r\n\r\n`));
    const tunnel = await openTunnel(socketPath, at);
    tunnel.socket.destroy();

    assert.match(plain, new RegExp(`^HTTP/1\\.1 4[^]*${code}`));
    assert.match(tunnel.status, /^HTTP\/1\.1 4/);
    assert.equal(server.connections, 0);
    assert.equal(ledger.opens().length, 0);
    assert.equal(ledger.closes()[0]?.outcome, code);
  });
}

for (const address of [
  '127.0.0.1',
  '10.0.0.1',
  '169.254.169.254',
  '100.100.100.200',
  '168.63.129.16',
  '::1',
  '::ffff:10.0.0.1',
  '64:ff9b::a00:1',
  '2002:7f00:1::',
  'fd00::1',
  'fe80::1',
  '0.0.0.0',
]) {
  test(`a name that resolves to ${address} is refused`, async (t) => {
    const server = await openServer(t, (_, response) => response.end('inside'));
    const { socketPath, ledger } = await openFixture(t, {
      grants: [{ host: 'api.test', port: server.port }],
      allowLoopback: [],
      lookup: async () => ['93.184.215.14', address],
    });

    assert.match(await exchange(socketPath, ask(server.port)), /egress\.private-address/);
    assert.equal(server.connections, 0);
    assert.equal(ledger.closes()[0]?.outcome, 'egress.private-address');
  });
}

test('a name that changes its answer is asked once: what was checked is what is reached', async (t) => {
  const server = await openServer(t, (_, response) => response.end('first'));
  let lookups = 0;
  const { socketPath } = await openFixture(t, {
    allow: [`api.test:${server.port}`],
    lookup: async () => ((lookups += 1) === 1 ? ['127.0.0.1'] : ['10.0.0.1']),
  });

  const answers = [await exchange(socketPath, ask(server.port)), await exchange(socketPath, ask(server.port))];

  assert.ok(answers.every((answer) => answer.endsWith('first')));
  assert.equal(lookups, 1);
});

test('a name that cannot be looked up, or never answers, is a named error', async (t) => {
  const never = async (): Promise<string[]> => await new Promise(() => undefined);
  for (const lookup of [async () => [], async () => Promise.reject(new Error('SERVFAIL')), never]) {
    const { socketPath } = await openFixture(t, { allow: ['api.test:80'], lookup, limits: { lookupMs: 50 } });

    assert.match(await exchange(socketPath, ask(80)), /egress\.no-such-host/);
  }
});

const smuggled: readonly (readonly [name: string, request: string])[] = [
  ['both lengths', 'POST http://H/ HTTP/1.1\r\nHost: H\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['two lengths', 'POST http://H/ HTTP/1.1\r\nHost: H\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd'],
  ['a list of lengths', 'POST http://H/ HTTP/1.1\r\nHost: H\r\nContent-Length: 4, 4\r\n\r\nabcd'],
  ['a signed length', 'POST http://H/ HTTP/1.1\r\nHost: H\r\nContent-Length: +4\r\n\r\nabcd'],
  ['an unknown coding', 'POST http://H/ HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n'],
  ['two codings', 'POST http://H/ HTTP/1.1\r\nHost: H\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n'],
  ['a space before the colon', 'GET http://H/ HTTP/1.1\r\nHost: H\r\nContent-Length : 4\r\n\r\nabcd'],
  ['a folded header', 'GET http://H/ HTTP/1.1\r\nHost: H\r\nX: a\r\n b\r\n\r\n'],
  ['a bare newline', 'GET http://H/ HTTP/1.1\nHost: H\n\n'],
  ['a bare return', 'GET http://H/ HTTP/1.1\r\nHost: H\r\nX: a\rY: b\r\n\r\n'],
  ['a NUL in a header', 'GET http://H/ HTTP/1.1\r\nHost: H\r\nX: a\0b\r\n\r\n'],
  ['two spaces in the first line', 'GET  http://H/ HTTP/1.1\r\nHost: H\r\n\r\n'],
  ['HTTP/2 by its preface', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
  ['two Host headers', 'GET http://H/ HTTP/1.1\r\nHost: H\r\nHost: evil.test\r\n\r\n'],
  ['another Host header', 'GET http://H/ HTTP/1.1\r\nHost: evil.test\r\n\r\n'],
  ['no Host header', 'GET http://H/ HTTP/1.1\r\n\r\n'],
  ['a request to the proxy itself', 'GET / HTTP/1.1\r\nHost: H\r\n\r\n'],
  ['https without CONNECT', 'GET https://H/ HTTP/1.1\r\nHost: H\r\n\r\n'],
  ['a fragment', 'GET http://H/a#b HTTP/1.1\r\nHost: H\r\n\r\n'],
  ['TRACE', 'TRACE http://H/ HTTP/1.1\r\nHost: H\r\n\r\n'],
];
for (const [name, request] of smuggled) {
  test(`refused before anything leaves: ${name}`, async (t) => {
    const server = await openServer(t, (_, response) => response.end('reached'));
    const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

    const answer = await exchange(
      socketPath,
      request.replaceAll('H/', `api.test:${server.port}/`).replaceAll('Host: H', `Host: api.test:${server.port}`),
    );

    assert.match(answer, /^HTTP\/1\.1 4/);
    assert.equal(server.connections, 0);
    assert.equal(ledger.opens().length, 0);
  });
}

for (const body of [
  '4;ext=1\r\nabcd\r\n0\r\n\r\n',
  '4\nabcd\r\n0\r\n\r\n',
  '0x4\r\nabcd\r\n0\r\n\r\n',
  '5\r\nabcd\r\n0\r\n\r\n',
  '4\r\nabcd\r\n0\r\nX: y\r\n\r\n',
  'fffffffff\r\n',
  '4 \r\nabcd\r\n0\r\n\r\n',
]) {
  test(`a chunked body is refused: ${JSON.stringify(body)}`, async (t) => {
    const server = await openServer(t, (_, response) => response.end('complete'));
    const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });
    const head = `POST http://api.test:${server.port}/ HTTP/1.1\r\nHost: api.test:${server.port}\r\nTransfer-Encoding: chunked\r\n\r\n`;

    const answer = await exchange(socketPath, head + body, { end: true });

    assert.doesNotMatch(answer, /complete/);
    assert.equal(server.seen.length, 0);
    assert.notEqual(ledger.closes()[0]?.outcome, 'done');
  });
}

test('headers of one connection stay there, and a body is framed anew', async (t) => {
  const server = await openServer(t, (_, response) => response.end('ok'));
  const { socketPath } = await openFixture(t, { allow: [`api.test:${server.port}`] });
  const at = `api.test:${server.port}`;

  await exchange(
    socketPath,
    `POST http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nConnection: close, X-Mine\r\nX-Mine: 1\r\nX-Kept: 2\r\nProxy-Authorization: Basic eA==\r\nUpgrade: h2c\r\nTE: trailers\r\nX-HTTP-Method-Override: DELETE\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nabcd\r\n0\r\n\r\n`,
  );

  const { headers, body } = server.seen[0]!;
  assert.equal(body, 'abcd');
  assert.equal(headers['x-kept'], '2');
  for (const name of ['x-mine', 'proxy-authorization', 'upgrade', 'te', 'x-http-method-override'])
    assert.equal(headers[name], undefined, name);
});

test('a redirect is an answer: the proxy follows nothing', async (t) => {
  const server = await openServer(t, (_, response) => response.writeHead(302, { location: 'http://evil.test/' }).end());
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

  assert.match(await exchange(socketPath, ask(server.port)), /^HTTP\/1\.1 302/);
  assert.equal(ledger.opens().length, 1);
});

const answers: readonly (readonly [name: string, bytes: string])[] = [
  ['both lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n'],
  ['another protocol', 'HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n'],
  ['no HTTP', 'SSH-2.0-OpenSSH_9.2\r\n\r\n'],
  ['a folded header', 'HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n'],
  ['an endless row of 100', 'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20)],
];
for (const [name, bytes] of answers) {
  test(`an answer is refused: ${name}`, async (t) => {
    const server = await openRawServer(t, (socket) => socket.write(bytes));
    const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

    assert.match(await exchange(socketPath, ask(server.port)), /^HTTP\/1\.1 502[^]*egress\.bad-answer/);
    assert.deepEqual(
      ledger.closes().map((event) => event.outcome),
      ['egress.bad-answer'],
    );
  });
}

test('a server that never ends its headers is cut off', async (t) => {
  const server = await openRawServer(t, (socket) => void socket.write('HTTP/1.1 200 OK\r\nX: y\r\n'));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`], limits: { answerMs: 100 } });

  assert.match(await exchange(socketPath, ask(server.port)), /egress\.too-slow/);
  assert.equal(ledger.closes()[0]?.outcome, 'egress.too-slow');
});

test('a server whose headers have no bound is cut off', async (t) => {
  const server = await openRawServer(t, (socket) => void socket.write(`HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(10_000)}`));
  const { socketPath } = await openFixture(t, { allow: [`api.test:${server.port}`] });

  assert.match(await exchange(socketPath, ask(server.port)), /egress\.too-large/);
});

test('a client that sends its head drop by drop is cut off', async (t) => {
  const { socketPath, ledger } = await openFixture(t, { limits: { headMs: 100 } });
  const socket = net.connect(socketPath);
  const drip = setInterval(() => socket.write('X'), 20);
  t.after(() => clearInterval(drip));
  socket.on('error', () => undefined);

  await new Promise((resolve) => socket.on('close', resolve));
  clearInterval(drip);

  for (let n = 0; n < 100 && ledger.closes().length === 0; n += 1) await sleep(10);
  assert.equal(ledger.closes()[0]?.outcome, 'egress.too-slow');
});

test('a client that says nothing, and a body that stalls, are cut off', async (t) => {
  const server = await openServer(t, (_, response) => response.end('ok'));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`], limits: { idleMs: 100 } });

  await exchange(socketPath, '');
  await exchange(
    socketPath,
    `POST http://api.test:${server.port}/ HTTP/1.1\r\nHost: api.test:${server.port}\r\nContent-Length: 10\r\n\r\nabc`,
  );

  for (let n = 0; n < 100 && ledger.closes().length === 0; n += 1) await sleep(10);
  assert.equal(ledger.closes()[0]?.outcome, 'egress.too-slow');
});

test('a body over the limit is refused, up and down', async (t) => {
  const server = await openServer(t, (_, response) => response.end('x'.repeat(5000)));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`], limits: { bytesUp: 1000, bytesDown: 1000 } });
  const at = `api.test:${server.port}`;

  const up = await exchange(socketPath, `POST http://${at}/ HTTP/1.1\r\nHost: ${at}\r\nContent-Length: 2000\r\n\r\n${'x'.repeat(2000)}`);
  const down = await exchange(socketPath, ask(server.port));

  assert.match(up, /egress\.too-large/);
  assert.ok(down.length < 2000);
  assert.deepEqual(
    ledger.closes().map((event) => event.outcome),
    ['egress.too-large', 'egress.too-large'],
  );
});

test('connections over the limit are refused, and many refusals close the door', async (t) => {
  const { socketPath, ledger } = await openFixture(t, { limits: { connections: 2, refusals: 3 } });
  const held = [net.connect(socketPath), net.connect(socketPath)];
  await Promise.all(held.map(async (socket) => await new Promise((resolve) => socket.once('connect', resolve))));
  await sleep(20);

  assert.match(await exchange(socketPath, ask(80)), /^HTTP\/1\.1 429/);
  for (const socket of held) socket.destroy();
  await sleep(20);
  for (let n = 0; n < 5; n += 1) await exchange(socketPath, ask(80));

  assert.match(await exchange(socketPath, ask(80)), /^HTTP\/1\.1 429/);
  assert.ok(ledger.closes().length <= 3);
});

test('what cannot be recorded does not leave', async (t) => {
  const server = await openServer(t, (_, response) => response.end('reached'));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });
  ledger.break();

  assert.match(await exchange(socketPath, ask(server.port)), /^HTTP\/1\.1 503[^]*egress\.not-recorded/);
  assert.equal(server.connections, 0);
});

test('without a grant nothing is even looked up', async (t) => {
  const { socketPath } = await openFixture(t, { lookup: async () => assert.fail('looked up') });

  assert.match(await exchange(socketPath, ask(80)), /egress\.not-granted/);
});

const hellos: readonly (readonly [name: string, servername: string])[] = [
  ['another server', 'evil.test'],
  ['no server', ''],
  ['the host in other words', 'api.test.evil.test'],
];
for (const [name, servername] of hellos) {
  test(`a tunnel whose TLS names ${name} is refused before a connection is made`, async (t) => {
    const server = await openServer(t, (_, response) => response.end('inside'), { secure: true });
    const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

    const answer = await requestSecurely(socketPath, `api.test:${server.port}`, {
      head: 'GET / HTTP/1.1\r\n\r\n',
      ca: authority.certificatePem,
      servername,
    });

    assert.match(answer, /alert|error/);
    assert.equal(server.connections, 0);
    assert.equal(ledger.closes()[0]?.outcome, 'egress.server-name');
  });
}

test('plain HTTP and other protocols in a tunnel are refused', async (t) => {
  const server = await openServer(t, (_, response) => response.end('inside'));
  const { socketPath, ledger } = await openFixture(t, { allow: [`api.test:${server.port}`] });

  for (const bytes of [`GET / HTTP/1.1\r\nHost: api.test\r\n\r\n`, 'SSH-2.0-x\r\n', '\x16\x03\x01\x00\x05hello']) {
    const { socket } = await openTunnel(socketPath, `api.test:${server.port}`);
    socket.write(Buffer.from(bytes, 'latin1'));
    await new Promise((resolve) => socket.once('data', resolve));
    socket.destroy();
  }

  assert.equal(server.connections, 0);
  assert.deepEqual(
    ledger.closes().map((event) => event.outcome),
    ['egress.plain-in-tunnel', 'egress.plain-in-tunnel', 'egress.server-name'],
  );
});

test('the socket is its owner’s alone, and gone after the end with all connections', async (t) => {
  const server = await openRawServer(t, () => undefined);
  const { socketPath, dir, ledger, close } = await openFixture(t, { allow: [`api.test:${server.port}`] });
  assert.equal(fs.statSync(path.dirname(socketPath)).mode & 0o777, 0o700);
  assert.equal(fs.statSync(socketPath).mode & 0o777, 0o600);
  const waiting = exchange(socketPath, ask(server.port));
  while (server.connections === 0) await sleep(5);

  await close();

  await waiting;
  assert.equal(fs.existsSync(path.join(dir, 'egress')), false);
  assert.equal(ledger.closes().length, 1);
});

test('a path that is too long for a socket, and a folder that is there, are refused', async (t) => {
  const { dir } = await openFixture(t, {});
  const edge = openEdge({ run, ledger: recorder(), clock, grants: [] });

  await assert.rejects(async () => await startEgressProxy(edge, { dir: path.join(dir, 'x'.repeat(100)) }), { code: 'broker.socket-path' });
  await assert.rejects(async () => await startEgressProxy(edge, { dir: path.join(dir, 'egress') }), { code: 'EEXIST' });
});
