import fs from 'node:fs';
import http from 'node:http';
import net, { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import tls from 'node:tls';
import { parseArgs } from 'node:util';
import { openEdge } from '../src/broker/edge.ts';
import { startEgressProxy } from '../src/broker/egress-proxy.ts';
import { createAuthority } from '../src/broker/egress/certificates.ts';
import { openLedger } from '../src/governance/ledger.ts';

/**
 * What the egress proxy adds: a small request on a new connection, directly and through each of its ways, and a large
 * download, in interleaved rounds. The ledger is the real one: each way out is on the disk before anything leaves.
 *
 *     node bench/proxy.ts --rounds 200
 */
const { values } = parseArgs({ options: { rounds: { type: 'string', default: '200' }, megabytes: { type: 'string', default: '64' } } });
const rounds = Number(values.rounds);
const bulk = Buffer.alloc(Number(values.megabytes) * 1024 * 1024, 'x');

const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'bench-proxy-'));
const authority = createAuthority(Date.now());
const answer = (request: http.IncomingMessage, response: http.ServerResponse): void =>
  void response.end(request.url === '/bulk' ? bulk : 'ok');
const plain = http.createServer(answer); // sast-ok: a server of the benchmark, on loopback
const secure = tls.createServer(authority.issue('api.test'), (socket) => plain.emit('connection', socket)); // sast-ok: the same
for (const server of [plain, secure]) await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
const [plainPort, securePort] = [plain, secure].map((server) => (server.address() as AddressInfo).port) as [number, number];

const clock = { now: () => Date.now() };
await using ledger = await openLedger({ dir: path.join(dir, 'ledger'), keyFile: path.join(dir, 'key'), clock });
const allowLoopback = [`api.test:${plainPort}`, `api.test:${securePort}`];
const options = {
  run: { run: 'run', session: 'ses', agent: 'bench' },
  ledger,
  clock,
  lookup: async () => ['127.0.0.1'],
  allowLoopback,
  upstreamCa: authority.certificatePem,
};
const secret = {
  name: 'KEY',
  value: 'a-secret-of-24-characters',
  hosts: [`api.test:${securePort}`],
  place: [{ in: 'header', name: 'authorization' }],
} as const;
const grants = [plainPort, securePort].map((port) => ({ host: 'api.test', port }));
const open = openEdge({ ...options, grants });
const inspecting = openEdge({ ...options, grants, secrets: [secret] });
await using openProxy = await startEgressProxy(open, { dir: path.join(dir, 'open') });
await using inspectingProxy = await startEgressProxy(inspecting, { dir: path.join(dir, 'inspecting') });

async function ask(socket: net.Socket, target: string, host: string): Promise<void> {
  socket.write(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nConnection: close\r\n\r\n`);
  await new Promise<void>(
    (resolve, reject) =>
      void socket
        .on('error', reject)
        .on('close', () => resolve())
        .resume(),
  );
}

async function tunnel(socketPath: string, ca: string): Promise<net.Socket> {
  const socket = net.connect(socketPath);
  socket.write(`CONNECT api.test:${securePort} HTTP/1.1\r\nHost: api.test:${securePort}\r\n\r\n`);
  await new Promise((resolve) => socket.once('data', resolve));
  return tls.connect({ socket, servername: 'api.test', ca });
}

const direct = (): net.Socket => tls.connect({ port: securePort, host: '127.0.0.1', servername: 'api.test', ca: authority.certificatePem });
const inspectedCa = inspecting.world.authority().certificatePem;
const subjects: readonly (readonly [name: string, work: (path: string) => Promise<void>])[] = [
  ['http, direct', async (target) => await ask(net.connect(plainPort, '127.0.0.1'), target, 'api.test')],
  [
    'http, through the proxy',
    async (target) => await ask(net.connect(openProxy.socketPath), `http://api.test:${plainPort}${target}`, `api.test:${plainPort}`), // sast-ok: how a client asks a proxy
  ],
  ['https, direct', async (target) => await ask(direct(), target, 'api.test')],
  ['https, tunnel', async (target) => await ask(await tunnel(openProxy.socketPath, authority.certificatePem), target, 'api.test')],
  [
    'https, inspected, secrets hidden',
    async (target) => await ask(await tunnel(inspectingProxy.socketPath, inspectedCa), target, `api.test:${securePort}`),
  ],
];

const latencies = new Map(subjects.map(([name]) => [name, [] as number[]]));
for (let round = -5; round < rounds; round += 1) {
  for (const [name, work] of subjects) {
    const started = performance.now();
    await work('/');
    if (round >= 0) latencies.get(name)!.push(performance.now() - started);
  }
}
const speeds = new Map(subjects.map(([name]) => [name, [] as number[]]));
for (let round = -1; round < 5; round += 1) {
  for (const [name, work] of subjects) {
    const started = performance.now();
    await work('/bulk');
    if (round >= 0) speeds.get(name)!.push(bulk.length / 1e6 / ((performance.now() - started) / 1000));
  }
}

const at = (list: readonly number[], share: number): number =>
  list.toSorted((a, b) => a - b)[Math.floor(list.length * share)] ?? Number.NaN;
console.log('| way | p50 ms | p99 ms | MB/s (median) |\n|---|---|---|---|');
for (const [name] of subjects)
  console.log(
    `| ${name} | ${at(latencies.get(name)!, 0.5).toFixed(2)} | ${at(latencies.get(name)!, 0.99).toFixed(2)} | ${at(speeds.get(name)!, 0.5).toFixed(0)} |`,
  );
plain.close();
secure.close();
await openProxy[Symbol.asyncDispose]();
await inspectingProxy[Symbol.asyncDispose]();
await ledger[Symbol.asyncDispose]();
fs.rmSync(dir, { recursive: true });
process.exit(0);
