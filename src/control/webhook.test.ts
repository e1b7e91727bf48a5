import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../contracts/errors.ts';
import { openWebhookCalls } from '../state/webhook-calls.ts';
import { minute, openWorld, second as oneSecond, type World } from './fixtures/scheduler-world.ts';
import { signatureOf } from './notify.ts';
import { addressListFault, fireWebhook, newRefusalCount, type WebhookCall, type WebhookContext } from './webhook.ts';

const key = 'the shared key of the test'; // not-a-secret: made up for this test
const trigger = { agent: 'main', secret: 'HOOK_KEY', message: 'A build has finished.' };

function contextOf(world: World, more: Partial<WebhookContext> = {}): WebhookContext {
  return {
    triggers: () => ({ build: trigger }),
    calls: openWebhookCalls(world.database),
    clock: world.ctx.clock,
    log: world.ctx.log,
    ledger: world.ctx.ledger,
    admit: world.ctx.admit,
    secret: async (_tenant, name) => (name === 'HOOK_KEY' ? key : undefined),
    refusals: newRefusalCount(),
    ...more,
  };
}

function signed(world: World, text: string, more: Partial<WebhookCall> & { readonly at?: number } = {}): WebhookCall {
  const timestamp = String(Math.floor((more.at ?? world.nowMs) / 1000));
  const body = Buffer.from(text);
  const headers = { 'x-clawhold-timestamp': timestamp, 'x-clawhold-signature': signatureOf(key, timestamp, body) };
  return { name: 'build', ip: '127.0.0.1', body, headers, ...more };
}

test('a signed call starts its agent, as a service of its name, with the body as untrusted data', async () => {
  await using world = await openWorld();

  const answer = await fireWebhook(contextOf(world), signed(world, '{"status":"red"}'));

  assert.equal(answer.outcome, 'accepted');
  const { principal, request, run } = world.admitted[0]!;
  assert.deepEqual(principal, { kind: 'service', id: 'webhook:build', tenant: 'default', roles: ['submitter'] });
  assert.equal(request.input, 'A build has finished.');
  assert.deepEqual(request.untrusted, [{ source: 'webhook:build', text: '{"status":"red"}' }]);
  assert.equal(answer.outcome === 'accepted' && answer.run, run);
  assert.equal((await world.events('webhook.accepted')).length, 1);
});

interface Wrong {
  readonly title: string;
  readonly reason: RegExp;
  readonly more?: Partial<WebhookContext>;
  readonly call: (world: World) => WebhookCall;
}

const wrong: readonly Wrong[] = [
  { title: 'a name that there is not', reason: /no such webhook/, call: (world) => signed(world, 'x', { name: 'nope' }) },
  { title: 'a name that every object has', reason: /no such webhook/, call: (world) => signed(world, 'x', { name: 'constructor' }) },
  { title: 'no webhooks at all', reason: /no such webhook/, more: { triggers: () => undefined }, call: (world) => signed(world, 'x') },
  { title: 'another address', reason: /not on its list/, call: (world) => signed(world, 'x', { ip: '192.0.2.1' }) },
  { title: 'an address that is none', reason: /not on its list/, call: (world) => signed(world, 'x', { ip: '127.0.0.1, 10.0.0.1' }) },
  { title: 'no headers', reason: /has no time/, call: (world) => signed(world, 'x', { headers: {} }) },
  {
    title: 'a signature that came twice',
    reason: /has no signature/,
    call: (world) => {
      const call = signed(world, 'x');
      return { ...call, headers: { ...call.headers, 'x-clawhold-signature': ['a', 'b'] } };
    },
  },
  { title: 'another body', reason: /signature is wrong/, call: (world) => ({ ...signed(world, 'x'), body: Buffer.from('y') }) },
  {
    title: 'another time under the same signature',
    reason: /signature is wrong/,
    call: (world) => {
      const call = signed(world, 'x');
      return { ...call, headers: { ...call.headers, 'x-clawhold-timestamp': String(world.nowMs / 1000 + 1) } };
    },
  },
  {
    title: 'a key of nothing, when the secret is gone',
    reason: /there is no secret HOOK_KEY/,
    more: { secret: async () => undefined },
    call: (world) => {
      const timestamp = String(world.nowMs / 1000);
      return signed(world, 'x', {
        headers: { 'x-clawhold-timestamp': timestamp, 'x-clawhold-signature': signatureOf('no key', timestamp, 'x') },
      });
    },
  },
  { title: 'a call of six minutes ago', reason: /five minutes off/, call: (world) => signed(world, 'x', { at: world.nowMs - 6 * minute }) },
  { title: 'a call of the future', reason: /five minutes off/, call: (world) => signed(world, 'x', { at: world.nowMs + 6 * minute }) },
  { title: 'a body that is no text', reason: /not UTF-8/, call: (world) => binary(world) },
  { title: 'a body that is too large', reason: /more than 262144 bytes/, call: (world) => signed(world, 'x'.repeat(262_145)) },
];

function binary(world: World): WebhookCall {
  const timestamp = String(world.nowMs / 1000);
  const body = Buffer.from([0xff, 0xfe]);
  return signed(world, '', {
    body,
    headers: { 'x-clawhold-timestamp': timestamp, 'x-clawhold-signature': signatureOf(key, timestamp, body) },
  });
}

for (const { title, reason, more, call } of wrong) {
  test(`a webhook is refused without a reason to the caller, and with one line in the ledger: ${title}`, async () => {
    await using world = await openWorld();

    const answer = await fireWebhook(contextOf(world, more), call(world));

    assert.deepEqual(answer, { outcome: 'refused' });
    assert.equal(world.admitted.length, 0);
    const [event, ...others] = await world.events('webhook.refused');
    assert.equal(others.length, 0);
    assert.match(event?.type === 'webhook.refused' ? event.reason : '', reason);
  });
}

test('the same signature is good once, also after a restart', async () => {
  await using world = await openWorld();
  const call = signed(world, 'x');

  const first = await fireWebhook(contextOf(world), call);
  const again = await fireWebhook(contextOf(world), call);
  world.nowMs += 4 * minute;
  const later = await fireWebhook(contextOf(world), call);

  assert.deepEqual([first.outcome, again.outcome, later.outcome], ['accepted', 'refused', 'refused']);
  assert.equal(world.admitted.length, 1);
});

test('sabotage: without the memory of calls the same signature starts two requests', async () => {
  await using world = await openWorld();
  const forgetful: WebhookContext['calls'] = { take: () => ({ outcome: 'new' }), admitted: () => {}, forget: () => {} };
  const asked: string[] = [];
  const ctx = contextOf(world, {
    calls: forgetful,
    admit: async (principal, request) => {
      asked.push(request.idempotencyKey ?? '');
      return await world.ctx.admit(principal, request);
    },
  });
  const call = signed(world, 'x');

  await fireWebhook(ctx, call);
  await fireWebhook(ctx, call);

  assert.equal(asked.length, 2);
  assert.equal(world.admitted.length, 1, 'the key of the call still holds');
});

test('a call whose run could not be asked for may be made again, and gives one run', async () => {
  await using world = await openWorld();
  const call = signed(world, 'x');
  const full = contextOf(world, {
    admit: async (principal, request) => {
      await world.ctx.admit(principal, request);
      throw new RetryableError('state.disk-full', 'the disk is full');
    },
  });

  const first = await fireWebhook(full, call);
  const second = await fireWebhook(contextOf(world), call);

  assert.deepEqual([first.outcome, second.outcome], ['busy', 'accepted']);
  assert.equal(world.admitted.length, 1);
});

test('a trigger takes so many calls a minute, and others are refused until the minute is over', async () => {
  await using world = await openWorld();
  const ctx = contextOf(world, { triggers: () => ({ build: { ...trigger, perMinute: 2 } }) });
  const answers: string[] = [];

  for (const text of ['a', 'b', 'c']) answers.push((await fireWebhook(ctx, signed(world, text))).outcome);
  world.nowMs += minute + oneSecond;
  answers.push((await fireWebhook(ctx, signed(world, 'd'))).outcome);

  assert.deepEqual(answers, ['accepted', 'accepted', 'refused', 'accepted']);
});

test('a flood of wrong calls leaves one line a second, which says how many there were', async () => {
  await using world = await openWorld();
  const ctx = contextOf(world);

  for (let i = 0; i < 50; i += 1) await fireWebhook(ctx, signed(world, 'x', { name: 'nope' }));
  world.nowMs += oneSecond;
  await fireWebhook(ctx, signed(world, 'x', { name: 'nope' }));

  const events = await world.events('webhook.refused');
  assert.deepEqual(
    events.map((event) => event.type === 'webhook.refused' && event.unrecorded),
    [0, 49],
  );
});

test('wrong calls do not use up the rate of right ones', async () => {
  await using world = await openWorld();
  const ctx = contextOf(world);
  for (let i = 0; i < 50; i += 1) await fireWebhook(ctx, { ...signed(world, 'x'), body: Buffer.from(`wrong ${i}`) });

  assert.equal((await fireWebhook(ctx, signed(world, 'right'))).outcome, 'accepted');
});

const addresses = [
  { from: ['192.0.2.0/24'], ip: '192.0.2.200', isIn: true },
  { from: ['192.0.2.0/24'], ip: '::ffff:192.0.2.200', isIn: true },
  { from: ['192.0.2.0/24'], ip: '192.0.3.1', isIn: false },
  { from: ['192.0.2.7'], ip: '192.0.2.7', isIn: true },
  { from: ['192.0.2.7'], ip: '192.0.2.8', isIn: false },
  { from: ['2001:db8::/32'], ip: '2001:db8:1::5', isIn: true },
  { from: ['2001:db8::/32'], ip: '2001:db9::5', isIn: false },
  { from: ['2001:db8::/32'], ip: '2001:db8::5%eth0', isIn: false },
  { from: ['nonsense', '0.0.0.0/99', '::ffff'], ip: '127.0.0.1', isIn: false },
  { from: [], ip: '127.0.0.1', isIn: false },
  { from: undefined, ip: '127.9.9.9', isIn: true },
  { from: undefined, ip: '::1', isIn: true },
  { from: undefined, ip: '10.0.0.1', isIn: false },
];
for (const { from, ip, isIn } of addresses) {
  test(`${ip} ${isIn ? 'may' : 'may not'} call a webhook for ${from?.join(', ') ?? 'nobody in particular'}`, async () => {
    await using world = await openWorld();
    const triggers = () => ({ build: { ...trigger, ...(from === undefined ? {} : { from }) } });

    const { outcome } = await fireWebhook(contextOf(world, { triggers }), signed(world, 'x', { ip }));

    assert.equal(outcome, isIn ? 'accepted' : 'refused');
  });
}

test('an entry of an address list that cannot be read is told', () => {
  assert.equal(addressListFault('192.0.2.0/24'), undefined);
  assert.equal(addressListFault('::1'), undefined);
  for (const entry of ['example.org', '192.0.2.0/33', '2001:db8::/129', '', '1.2.3.4/', 'fe80::1%eth0/64'])
    assert.match(addressListFault(entry) ?? '', /is neither an address nor a range/, entry);
});
