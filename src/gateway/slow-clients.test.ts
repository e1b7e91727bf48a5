import assert from 'node:assert/strict';
import net from 'node:net';
import { test } from 'node:test';
import { openWorld, sendRaw } from './fixtures/gateway-world.ts';

async function connect(port: number, head: string): Promise<net.Socket> {
  const socket = net.connect(port, '127.0.0.1');
  socket.on('error', () => {});
  await new Promise((resolve) => socket.once('connect', resolve));
  if (head !== '') socket.write(head);
  return socket.resume();
}

async function closed(socket: net.Socket): Promise<void> {
  if (!socket.destroyed) await new Promise((resolve) => socket.once('close', resolve));
}

const clients = 2000;

test('2,000 clients that send headers and bodies drop by drop, or nothing, are cut off, and others are answered meanwhile', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { headersMs: 2000, requestMs: 3000, idleMs: 2500 } }));
  const [token, calm] = [world.token('submitter'), world.token('submitter')];
  const host = `Host: 127.0.0.1:${world.port}\r\n`;
  const heads = [
    '',
    `GET /healthz HTTP/1.1\r\n${host}X-Slow: `,
    `POST /api/v1/runs HTTP/1.1\r\n${host}Authorization: Bearer ${token}\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"agent"`,
  ];
  const sockets = await Promise.all(Array.from({ length: clients }, async (_, i) => await connect(world.port, heads[i % heads.length]!)));
  const drip = setInterval(() => {
    for (const socket of sockets) if (!socket.destroyed) socket.write('x');
  }, 500);
  t.after(() => clearInterval(drip));

  const held = sockets.filter(({ readyState }) => readyState === 'open').length;
  const answer = await world.ask('POST', '/api/v1/runs', { token: calm, body: { agent: 'main', input: 'x' } });
  assert.equal(held, clients);
  assert.equal(answer.status, 202);
  await Promise.all(sockets.map(closed));
  assert.equal(world.admitted.length, 1);
  assert.equal((await world.ask('GET', '/healthz')).status, 200);
});

test('connections beyond the limit are refused, and the ones within it work', async (t) => {
  const world = await openWorld(t, (ctx) => ({ ...ctx, limits: { maxConnections: 20 } }));
  const idle = await Promise.all(Array.from({ length: 19 }, async () => await connect(world.port, '')));
  t.after(() => idle.forEach((socket) => socket.destroy()));
  const ask = `GET /healthz HTTP/1.1\r\nHost: 127.0.0.1:${world.port}\r\nConnection: close\r\n\r\n`;

  assert.match(await sendRaw(world.port, ask, 2000), /^HTTP\/1.1 200 /);
  const more = await connect(world.port, '');
  t.after(() => more.destroy());
  assert.equal(await sendRaw(world.port, ask, 2000), '');
});

test('what is no HTTP, has too large headers or frames its body in two ways is refused', async (t) => {
  const world = await openWorld(t);
  const host = `Host: 127.0.0.1:${world.port}\r\n`;

  for (const [bytes, status] of [
    ['\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03', 400],
    [`GET /healthz HTTP/1.1\r\n${host}X-Large: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    [`POST /api/v1/runs HTTP/1.1\r\n${host}Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`, 400],
    [`POST /api/v1/runs HTTP/1.1\r\n${host}Content-Length: 5\r\nContent-Length: 6\r\n\r\n`, 400],
    [`GET /healthz HTTP/1.1\r\n\r\n`, 400],
    [`GET /api/v1/runs/%E0%A4%A HTTP/1.1\r\n${host}\r\n`, 400],
    [`GET /healthz/ HTTP/1.1\r\n${host}\r\n`, 404],
    [`GET /HEALTHZ HTTP/1.1\r\n${host}\r\n`, 404],
    [`GET //healthz HTTP/1.1\r\n${host}\r\n`, 404],
    [`TRACE /healthz HTTP/1.1\r\n${host}\r\n`, 404],
    [`GET /healthz HTTP/1.1\r\n${host}Bad Header: x\r\n\r\n`, 400],
  ] as const)
    assert.match(await sendRaw(world.port, bytes), new RegExp(`^HTTP/1.1 ${status} `), bytes.slice(0, 60));
});

test('every answer tells browsers to load nothing, frame nothing and guess nothing', async (t) => {
  const world = await openWorld(t);

  for (const target of ['/healthz', '/api/v1/runs', '/no-such-path']) {
    const { headers } = await world.ask('GET', target);
    assert.match(headers.get('content-security-policy') ?? '', /^default-src 'none'/, target);
    assert.equal(headers.get('x-content-type-options'), 'nosniff', target);
    assert.equal(headers.get('access-control-allow-origin'), null, target);
    assert.equal(headers.get('cache-control'), 'no-store', target);
  }
});
