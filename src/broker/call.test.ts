import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import { callWithGrant, type CallContext } from './call.ts';
import type { FetchRequest } from './fetch.ts';
import { authority, clock, openServer, recorder, type Recorder, type TestServer } from './fixtures/edge-fixture.ts';
import { openGrants, type GrantRequest } from './grants.ts';
import { openSecrets, secretDirs } from './secrets.ts';

const tenant = parseTenantId('default');
// not-a-secret: made up for this test
const value = 'ghp_0123456789abcdefghij0123456789abcdef';
const caller: GrantRequest = {
  tool: 'github.read',
  tenant,
  run: 'run_1',
  session: 'ses_1',
  agent: 'scout',
  executor: 'exe_1',
  lease: 'lease_1',
};

interface World {
  readonly context: CallContext;
  readonly ledger: Recorder;
  readonly server: TestServer;
  readonly at: string;
  readonly token: string;
  call(more?: { readonly token?: string; readonly caller?: GrantRequest; readonly request?: Partial<FetchRequest> }): Promise<string>;
}

async function open(t: TestContext): Promise<World> {
  const server = await openServer(t, (request, response) => response.end(`hello ${request.headers.authorization}`), { secure: true });
  const at = `api.test:${server.port}`;
  const userDir = fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-call-'));
  t.after(() => fs.rmSync(userDir, { recursive: true }));
  const secrets = openSecrets({ env: {}, clock, dirs: secretDirs({ isRoot: false, userDir }) });
  await secrets.set(tenant, 'GITHUB_TOKEN', { value, hosts: [at] });
  const ledger = recorder();
  const policy = { version: 1 as const, tools: { 'github.read': { hosts: [at, `other.test:${server.port}`], secret: 'GITHUB_TOKEN' } } };
  const grants = openGrants({ clock, ledger: async () => ledger, policy: async () => policy, isLeaseHeld: async () => true });
  const issued = await grants.request(caller);
  assert.ok(issued.ok);
  const edge = {
    lookup: async () => ['127.0.0.1'],
    allowLoopback: [at, `other.test:${server.port}`],
    upstreamCa: authority.certificatePem,
  };
  const context = { grants, secrets, ledger: async () => ledger, clock, edge };
  const request = { url: `https://${at}/v1`, headers: { authorization: 'Bearer {{secret:GITHUB_TOKEN}}' } };
  return {
    context,
    ledger,
    server,
    at,
    token: issued.token,
    async call(more = {}) {
      const answer = await callWithGrant(
        context,
        { token: more.token ?? issued.token, caller: more.caller ?? caller, request: { ...request, ...more.request } },
        { signal: AbortSignal.timeout(5000), maxBytes: 1000 },
      );
      return answer.ok ? answer.body.toString() : answer.code;
    },
  };
}

test('a call goes through with its token, and the caller never sees the secret', async (t) => {
  const at = await open(t);

  const answer = await at.call();

  assert.equal(answer, 'hello Bearer {{secret:GITHUB_TOKEN}}');
  assert.equal(at.server.seen[0]?.headers.authorization, `Bearer ${value}`);
  assert.deepEqual(
    at.ledger.events.map((event) => event.type),
    ['broker.request', 'broker.grant', 'broker.use', 'egress.open', 'egress.close'],
  );
  assert.deepEqual(at.ledger.opens()[0]?.secrets, ['GITHUB_TOKEN']);
});

test('the same token again, another caller or another host gets nothing through', async (t) => {
  const at = await open(t);

  assert.equal(await at.call({ caller: { ...caller, executor: 'exe_2' } }), 'broker.other-binding');
  assert.equal(await at.call({ request: { url: 'https://evil.test/' } }), 'broker.other-binding');
  await at.call();
  assert.equal(await at.call(), 'broker.replayed');
  assert.equal(at.server.seen.length, 1);
});

test('at a host that the policy allows and the secret does not name, the secret stays out', async (t) => {
  const at = await open(t);

  // Its certificate is for api.test, so nothing is sent; and no secret was put in for it.
  await assert.rejects(async () => await at.call({ request: { url: `https://other.test:${at.server.port}/` } }), {
    code: 'egress.unreachable',
  });
  assert.deepEqual(at.ledger.opens()[0]?.secrets, []);
});
