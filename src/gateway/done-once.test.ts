import assert from 'node:assert/strict';
import { test } from 'node:test';
import { RetryableError } from '../contracts/errors.ts';
import { parseTenantId } from '../contracts/ids.ts';
import { readLedger } from '../governance/query-ledger.ts';
import { openWorld, type Answer, type GatewayWorld } from './fixtures/gateway-world.ts';

const home = parseTenantId('default');

/** A world whose process ends, as far as a request can tell, before the answer is kept. */
async function dyingWorld(t: Parameters<typeof openWorld>[0]): Promise<GatewayWorld & { fails: boolean }> {
  const state = { fails: true };
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    kept: {
      ...ctx.kept,
      put: (...given) => {
        if (state.fails) throw new Error('killed here');
        ctx.kept.put(...given);
      },
    },
  }));
  return Object.assign(state, world);
}

test('a token whose answer could not be kept was not made either, and the same key makes one, recorded before it is there', async (t) => {
  const world = await dyingWorld(t);
  const token = world.token('admin');
  const create = async (): Promise<Answer> =>
    await world.ask('POST', '/api/v1/tokens', { token, body: { roles: ['viewer'] }, headers: { 'idempotency-key': 'k1' } });
  const ids = (): readonly string[] => world.ctx.tokens.list(home).map(({ id }) => id);

  const killed = await create();
  const afterKill = ids().length;
  world.fails = false;
  const [again, third] = [await create(), await create()];
  const recorded: string[] = [];
  for await (const { event } of readLedger(world.home.ledgerDir(home), { type: 'config.change' }))
    if (event.type === 'config.change') recorded.push(event.file);

  assert.deepEqual([killed.status, afterKill, again.status, third.status, third.json.code], [500, 1, 201, 409, 'gateway.shown-once']);
  assert.equal(ids().length, 2);
  assert.ok(recorded.includes(`tokens/${again.json.token.id}`));
  assert.equal((await world.ask('GET', '/api/v1/runs', { token: again.json.secret })).status, 200);
});

test('a rotation whose answer could not be kept leaves the old secret good, and the same key rotates once', async (t) => {
  const world = await dyingWorld(t);
  const admin = world.token('admin');
  const old = world.token('viewer');
  const [id] = world.ctx.tokens.list(home).flatMap((one) => (one.roles.includes('viewer') ? one.id : []));
  const rotate = async (): Promise<Answer> =>
    await world.ask('POST', `/api/v1/tokens/${id}/rotate`, { token: admin, body: {}, headers: { 'idempotency-key': 'k1' } });
  const works = async (token: string): Promise<boolean> => (await world.ask('GET', '/api/v1/runs', { token })).status === 200;

  const killed = await rotate();
  const isOldGood = await works(old);
  world.fails = false;
  const [again, third] = [await rotate(), await rotate()];

  assert.deepEqual([killed.status, isOldGood, again.status, third.status], [500, true, 200, 409]);
  assert.deepEqual([await works(old), await works(again.json.secret)], [false, true]);
});

test('no record, no token: where the ledger takes nothing, none is made and none rotated, and an ended one leaves no record', async (t) => {
  let isFull = false;
  const world = await openWorld(t, (ctx) => ({
    ...ctx,
    ledger: async (tenant) => {
      if (isFull) throw new RetryableError('test.full', 'The disk is full.');
      return await ctx.ledger(tenant);
    },
  }));
  const token = world.token('admin');
  const made = (await world.ask('POST', '/api/v1/tokens', { token, body: { roles: ['viewer'] } })).json;
  const rotate = async (): Promise<number> =>
    (await world.ask('POST', `/api/v1/tokens/${made.token.id}/rotate`, { token, body: {} })).status;

  isFull = true;
  const refused = [(await world.ask('POST', '/api/v1/tokens', { token, body: { roles: ['admin'] } })).status, await rotate()];
  const isOldGood = (await world.ask('GET', '/api/v1/runs', { token: made.secret })).status;
  isFull = false;
  await world.ask('POST', `/api/v1/tokens/${made.token.id}/revoke`, { token });
  const records = async (): Promise<number> => {
    let count = 0;
    for await (const _ of readLedger(world.home.ledgerDir(home), { type: 'config.change' })) count += 1;
    return count;
  };
  const before = await records();
  const ended = await rotate();

  assert.deepEqual([refused, isOldGood, ended], [[503, 503], 200, 409]);
  assert.equal(world.ctx.tokens.list(home).length, 2);
  assert.equal(await records(), before);
});
