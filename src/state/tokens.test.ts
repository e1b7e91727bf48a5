import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newTokenId, parseTenantId } from '../contracts/ids.ts';
import { openDatabase } from './database.ts';
import { openTokens, type NewToken, type Tokens } from './tokens.ts';

const acme = parseTenantId('acme');
const other = parseTenantId('other');
const nowMs = Date.UTC(2026, 0, 1);
const hour = 3_600_000;

interface World extends Disposable {
  readonly tokens: Tokens;
  readonly file: string;
}

function newWorld(): World {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'tokens-')), 'state.db');
  const database = openDatabase(file);
  return { tokens: openTokens(database), file, [Symbol.dispose]: () => database[Symbol.dispose]() };
}

function fresh(change: Partial<NewToken> = {}): NewToken {
  return { tenant: acme, roles: ['submitter', 'approver'], label: 'ci', nowMs, ...change };
}

test('a token lets its bearer in as its tenant and with its roles', () => {
  using world = newWorld();

  const { token, secret } = world.tokens.create(fresh());

  assert.match(secret, /^clh_[A-Za-z0-9_-]{43}$/);
  assert.deepEqual(world.tokens.authenticate(secret, nowMs + 1), {
    kind: 'service',
    id: token.id,
    tenant: acme,
    roles: ['approver', 'submitter'],
  });
});

test('the secret is nowhere on the disk, only its hash is', () => {
  using world = newWorld();

  const { secret } = world.tokens.create(fresh());
  world.tokens.authenticate(secret, nowMs);

  const bytes = fs
    .readdirSync(path.dirname(world.file))
    .map((name) => fs.readFileSync(path.join(path.dirname(world.file), name), 'latin1'));
  for (const part of [secret, secret.slice(4), Buffer.from(secret.slice(4), 'base64url').toString('latin1')]) {
    assert.ok(!bytes.some((text) => text.includes(part)));
  }
});

test('no other text is a token: not its id, its hash, a part, another spelling or SQL', () => {
  using world = newWorld();
  const { token, secret } = world.tokens.create(fresh());

  const tries = [
    '',
    token.id,
    secret.slice(0, -1),
    `${secret} `,
    `${secret}=`,
    secret.toUpperCase(),
    secret.slice(4),
    `clh_${randomBytes(32).toString('base64url')}`,
    "' OR 1=1 --",
    `clh_${'%'.repeat(43)}`,
  ];

  for (const one of tries) assert.equal(world.tokens.authenticate(one, nowMs), undefined, one);
});

test('a token ends when it expires and when it is revoked, at once', () => {
  using world = newWorld();
  const expiring = world.tokens.create(fresh({ expiresMs: nowMs + hour }));
  const revoked = world.tokens.create(fresh());

  world.tokens.revoke(acme, revoked.token.id, nowMs + 1);

  assert.ok(world.tokens.authenticate(expiring.secret, nowMs + hour - 1));
  assert.equal(world.tokens.authenticate(expiring.secret, nowMs + hour), undefined);
  assert.equal(world.tokens.authenticate(revoked.secret, nowMs + 1), undefined);
  assert.equal(world.tokens.get(acme, revoked.token.id)?.revokedMs, nowMs + 1);
});

test('after a rotation the old secret is good for its grace and no longer, and at once gone without one', () => {
  using world = newWorld();
  const first = world.tokens.create(fresh());

  const second = world.tokens.rotate(acme, first.token.id, { nowMs, graceMs: hour })!;
  const third = world.tokens.rotate(acme, first.token.id, { nowMs: nowMs + 10, graceMs: 0 })!;

  assert.equal(new Set([first.secret, second.secret, third.secret]).size, 3);
  assert.equal(third.token.id, first.token.id);
  assert.deepEqual(
    [first, second, third].map(({ secret }) => world.tokens.authenticate(secret, nowMs + 10) !== undefined),
    [false, false, true],
  );
});

test('a grace ends, and a second rotation does not lengthen it', () => {
  using world = newWorld();
  const first = world.tokens.create(fresh());

  world.tokens.rotate(acme, first.token.id, { nowMs, graceMs: hour });
  world.tokens.rotate(acme, first.token.id, { nowMs: nowMs + 1, graceMs: 10 * hour });

  assert.ok(world.tokens.authenticate(first.secret, nowMs + hour - 1));
  assert.equal(world.tokens.authenticate(first.secret, nowMs + hour), undefined);
});

test('revoking ends every secret that a token ever had, and an ended token gets no new one', () => {
  using world = newWorld();
  const first = world.tokens.create(fresh());
  const second = world.tokens.rotate(acme, first.token.id, { nowMs, graceMs: hour })!;

  world.tokens.revoke(acme, first.token.id, nowMs);

  for (const { secret } of [first, second]) assert.equal(world.tokens.authenticate(secret, nowMs), undefined);
  assert.throws(() => world.tokens.rotate(acme, first.token.id, { nowMs, graceMs: 0 }), { code: 'state.token-ended' });
});

test('a token of another tenant is as unknown as one that never was', () => {
  using world = newWorld();
  const { token, secret } = world.tokens.create(fresh());
  const never = newTokenId(nowMs);

  for (const [tenant, id] of [
    [other, token.id],
    [acme, never],
  ] as const) {
    assert.equal(world.tokens.get(tenant, id), undefined);
    assert.equal(world.tokens.revoke(tenant, id, nowMs), undefined);
    assert.equal(world.tokens.rotate(tenant, id, { nowMs, graceMs: 0 }), undefined);
  }
  assert.deepEqual(world.tokens.list(other), []);
  assert.ok(world.tokens.authenticate(secret, nowMs));
});

test('when a token was last used is known to the minute, also when the clock steps back', () => {
  using world = newWorld();
  const { token, secret } = world.tokens.create(fresh());
  const used = (atMs: number): number | undefined => {
    world.tokens.authenticate(secret, atMs);
    return world.tokens.get(acme, token.id)?.lastUsedMs;
  };

  assert.deepEqual(
    [used(nowMs), used(nowMs + 59_999), used(nowMs + 60_000), used(nowMs - hour)],
    [nowMs, nowMs, nowMs + 60_000, nowMs - hour],
  );
});

test('a token without a role is not made, and a removed tenant leaves none that works', () => {
  using world = newWorld();
  const { secret } = world.tokens.create(fresh());

  assert.throws(() => world.tokens.create(fresh({ roles: [] })), { code: 'state.token-without-role' });
  assert.equal(world.tokens.removeAll(acme), 1);
  assert.equal(world.tokens.authenticate(secret, nowMs), undefined);
  assert.deepEqual(world.tokens.list(acme), []);
});
