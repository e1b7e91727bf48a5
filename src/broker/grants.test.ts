import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { BrokerPolicy } from '../contracts/broker-config.ts';
import { parseTenantId } from '../contracts/ids.ts';
import { recorder, type Recorder } from './fixtures/edge-fixture.ts';
import { openGrants, type GrantRequest, type Grants, type GrantUse, type IssuedGrant } from './grants.ts';

const tenant = parseTenantId('default');
const request: GrantRequest = {
  tool: 'github.read',
  tenant,
  run: 'run_1',
  session: 'ses_1',
  agent: 'scout',
  executor: 'exe_1',
  lease: 'lease_1',
};
const use: GrantUse = { ...request, host: 'api.example.org:443' };

interface World {
  readonly grants: Grants;
  readonly ledger: Recorder;
  policy: BrokerPolicy;
  now: number;
  isHeld: boolean;
}

function world(): World {
  const ledger = recorder();
  const state: World = {
    ledger,
    now: 1e12,
    isHeld: true,
    policy: { version: 1, tools: { 'github.read': { hosts: ['api.example.org:443'], secret: 'GITHUB_TOKEN', risk: 'low' } } },
    grants: undefined as unknown as Grants,
  };
  const grants = openGrants({
    clock: { now: () => state.now },
    ledger: async () => ledger,
    policy: async () => state.policy,
    isLeaseHeld: async () => state.isHeld,
  });
  return Object.assign(state, { grants });
}

async function issued(at: World): Promise<IssuedGrant> {
  const grant = await at.grants.request(request);
  assert.ok(grant.ok);
  return grant;
}

async function codeOfUse(at: World, token: string, change: Partial<GrantUse> = {}): Promise<string> {
  const answer = await at.grants.use(token, { ...use, ...change });
  return answer.ok ? 'allowed' : answer.code;
}

test('an allowed tool gets a token for one use, and the ledger has request, grant and use with who, what and when', async () => {
  const at = world();

  const grant = await issued(at);
  const answer = await at.grants.use(grant.token, use);

  assert.deepEqual(answer, { ok: true, grantId: grant.grantId, secret: 'GITHUB_TOKEN' });
  assert.deepEqual(
    at.ledger.events.map((event) => event.type),
    ['broker.request', 'broker.grant', 'broker.use'],
  );
  for (const event of at.ledger.events)
    assert.partialDeepStrictEqual(event, {
      tenant: 'default',
      executor: 'exe_1',
      tool: 'github.read',
      run: 'run_1',
      at: '2001-09-09T01:46:40.000Z',
    });
  assert.ok(!JSON.stringify(at.ledger.events).includes(grant.token));
});

test('a tool that no rule names is refused with 403 and a reason, and that is recorded', async () => {
  const at = world();

  for (const tool of ['github.write', '__proto__', 'constructor', '']) {
    const denial = await at.grants.request({ ...request, tool });
    assert.ok(!denial.ok);
    assert.deepEqual([denial.status, denial.code], [403, 'broker.tool-not-allowed']);
  }

  assert.equal(at.ledger.events.filter((event) => event.type === 'broker.denial').length, 4);
});

test('a change of the policy acts on the next request, and on tokens that are out', async () => {
  const at = world();
  const { token } = await issued(at);

  at.policy = { version: 1, tools: {} };

  assert.equal((await at.grants.request(request)).ok, false);
  assert.equal(await codeOfUse(at, token), 'broker.policy-changed');
});

test('a token lives a minute unless the policy says otherwise, and five at most', async () => {
  const at = world();
  assert.equal((await issued(at)).expiresMs, at.now + 60_000);
  at.policy = { version: 1, tools: { 'github.read': { hosts: ['api.example.org:443'], seconds: 100_000 } } };

  const grant = await issued(at);

  assert.equal(grant.expiresMs, at.now + 300_000);
  at.now += 299_999;
  assert.equal(await codeOfUse(at, grant.token, { host: 'other:1' }), 'broker.other-binding');
  at.now += 1;
  assert.equal(await codeOfUse(at, grant.token), 'broker.expired');
});

for (const change of [
  { tool: 'github.write' },
  { tenant: parseTenantId('acme') },
  { run: 'run_2' },
  { session: 'x' },
  { agent: 'x' },
  { executor: 'exe_2' },
  { lease: 'lease_2' },
  { host: 'evil.test:443' },
]) {
  test(`a token is refused for another ${Object.keys(change)[0]}`, async () => {
    const at = world();
    const { token } = await issued(at);

    assert.equal(await codeOfUse(at, token, change), 'broker.other-binding');
    assert.equal(await codeOfUse(at, token), 'allowed');
  });
}

test('a token is used once, also by two at the same moment', async () => {
  const at = world();
  const { token } = await issued(at);

  const answers = await Promise.all(Array.from({ length: 8 }, async () => await codeOfUse(at, token)));

  assert.deepEqual(answers.toSorted(), ['allowed', ...Array.from({ length: 7 }, () => 'broker.replayed')]);
  assert.equal(at.ledger.events.filter((event) => event.type === 'broker.use').length, 1);
});

test('a revoked token is refused at once, and others stay', async () => {
  const at = world();
  const [one, other] = [await issued(at), await at.grants.request({ ...request, run: 'run_2' })];

  assert.equal(await at.grants.revoke({ tenant, run: 'run_1' }, 'stopped'), 1);

  assert.equal(await codeOfUse(at, one.token), 'broker.revoked');
  assert.equal(await codeOfUse(at, other.ok ? other.token : '', { run: 'run_2' }), 'allowed');
});

test('without the lease nothing is given and nothing used', async () => {
  const at = world();
  const { token } = await issued(at);

  at.isHeld = false;

  assert.equal(await codeOfUse(at, token), 'broker.lease-lost');
  assert.equal((await at.grants.request(request)).ok, false);
});

test('a forged, changed or foreign token is refused', async () => {
  const at = world();
  const { token } = await issued(at);
  const foreign = (await issued(world())).token;
  const [body = '', mac = ''] = token.split('.');
  const claims = JSON.parse(Buffer.from(body, 'base64url').toString()) as object;
  const longer = Buffer.from(JSON.stringify({ ...claims, expiresMs: 9e15 })).toString('base64url');

  for (const bad of [
    '',
    'a.b',
    foreign,
    `${longer}.${mac}`,
    `${body}.`,
    `${body}.${'A'.repeat(43)}`,
    `${token}x`,
    `${body}.${mac}.${mac}`,
    mac,
  ])
    assert.equal(await codeOfUse(at, bad), 'broker.bad-token', bad);
});

test('sabotage: with another key the broker refuses its own tokens, so it is the key that is checked', async () => {
  const at = world();
  const { token } = await issued(at);
  const options = {
    clock: { now: () => at.now },
    ledger: async () => at.ledger,
    policy: async () => at.policy,
    isLeaseHeld: async () => true,
  };

  const answer = await openGrants({ ...options, signingKey: Buffer.alloc(32) }).use(token, use);

  assert.equal(answer.ok, false);
});

test('what cannot be recorded is not given, and a use that cannot be recorded is not made', async () => {
  const at = world();
  const { token } = await issued(at);

  at.ledger.break();

  await assert.rejects(async () => await at.grants.request(request));
  await assert.rejects(async () => await at.grants.use(token, use));
});
