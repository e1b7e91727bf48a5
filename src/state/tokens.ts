import { randomBytes, timingSafeEqual } from 'node:crypto';
import * as z from 'zod/mini';
import { FixRequestError } from '../contracts/errors.ts';
import { newTokenId, type TenantId, type TokenId } from '../contracts/ids.ts';
import { sha256 } from '../contracts/json.ts';
import { roles, type Principal, type Role } from '../contracts/principal.ts';
import type { Database } from './database.ts';

/** What may be shown of a token: never its secret, which nobody has but who got it. */
export interface Token {
  readonly id: TokenId;
  readonly tenant: TenantId;
  readonly roles: readonly Role[];
  readonly label: string;
  readonly createdMs: number;
  readonly expiresMs?: number;
  readonly revokedMs?: number;
  /** Within a minute of the truth. */
  readonly lastUsedMs?: number;
}

export interface NewToken {
  readonly tenant: TenantId;
  readonly roles: readonly Role[];
  /** For people: whose it is. */
  readonly label: string;
  readonly nowMs: number;
  readonly expiresMs?: number;
}

/** The secret is in nothing else that Clawhold writes: shown once, then gone. */
export interface MadeToken {
  readonly token: Token;
  readonly secret: string;
}

/**
 * Bearer tokens: who may come in, for which tenant, as what.
 *
 * Contract:
 * - a secret has 256 random bits, and only its SHA-256 is stored: who reads the database cannot come in;
 * - `authenticate` answers for a known, live token and nothing else, and its time depends on no stored secret;
 * - a revoked or expired token is refused from that moment on, with every secret it ever had;
 * - every other function is told the tenant, and a token of another one is as unknown as one that never was.
 */
export interface Tokens {
  /** Made and not there yet: its id can be recorded before `add`. @throws FixRequestError for one without a role. */
  prepare(token: NewToken): MadeToken;
  /** Durable when it returns. */
  add(made: MadeToken): void;
  /** Both. */
  create(token: NewToken): MadeToken;
  authenticate(secret: string, nowMs: number): Principal | undefined;
  get(tenant: TenantId, id: TokenId): Token | undefined;
  /** Newest first, ended ones too; all of them, or a page of those that are older than `before`. */
  list(tenant: TenantId, page?: { readonly limit: number; readonly before?: TokenId | undefined }): Token[];
  /** Undefined when the tenant has no such token; revoking twice changes nothing. */
  revoke(tenant: TenantId, id: TokenId, nowMs: number): Token | undefined;
  /**
   * A new secret for the same token; the ones before stay good for `graceMs`, at most until the token's end.
   * Undefined when the tenant has no such token. @throws FixRequestError when the token has ended.
   */
  rotate(tenant: TenantId, id: TokenId, when: { readonly nowMs: number; readonly graceMs: number }): MadeToken | undefined;
  /** All of a tenant that is gone. */
  removeAll(tenant: TenantId): number;
}

const prefix = 'clh_';
const secretShape = /^clh_[A-Za-z0-9_-]{43}$/;
/** `last used` is for people; a write for each request would cost more than it tells. */
const coarseMs = 60_000;

const maybe = z.nullable(z.int());
const rowShape = z.object({
  id: z.string(),
  tenant: z.string(),
  roles: z.string(),
  label: z.string(),
  created_ms: z.int(),
  expires_ms: maybe,
  revoked_ms: maybe,
  last_used_ms: maybe,
});
/** What each request asks for, and no more: columns of STRICT tables. */
const secretSql = `SELECT t.id, t.tenant, t.roles, t.expires_ms, t.revoked_ms, t.last_used_ms, s.hash, s.until_ms
  FROM token_secrets s JOIN tokens t ON t.id = s.token WHERE s.hash = ?`;
type SecretRow = readonly [
  id: TokenId,
  tenant: TenantId,
  roles: string,
  expiresMs: number | null,
  revokedMs: number | null,
  lastUsedMs: number | null,
  hash: string,
  untilMs: number | null,
];

export function openTokens(database: Database): Tokens {
  const get: Tokens['get'] = (tenant, id) => {
    const row = database.get('SELECT * FROM tokens WHERE tenant = ? AND id = ?', tenant, id);
    return row === undefined ? undefined : tokenOf(rowShape.parse(row));
  };
  return {
    prepare,
    add: (made) => add(database, made),
    create: (given) => {
      const made = prepare(given);
      add(database, made);
      return made;
    },
    authenticate: (secret, nowMs) => authenticate(database, secret, nowMs),
    get,
    list: (tenant, { limit = -1, before } = { limit: -1 }) => {
      const [more, ...values] = before === undefined ? [''] : ['AND id < ?', before];
      const rows = database.all(`SELECT * FROM tokens WHERE tenant = ? ${more} ORDER BY id DESC LIMIT ?`, tenant, ...values, limit);
      return rows.map((row) => tokenOf(rowShape.parse(row)));
    },
    revoke: (tenant, id, nowMs) => {
      database.run('UPDATE tokens SET revoked_ms = ? WHERE tenant = ? AND id = ? AND revoked_ms IS NULL', nowMs, tenant, id);
      return get(tenant, id);
    },
    rotate: (tenant, id, when) => {
      const token = get(tenant, id);
      return token === undefined ? undefined : rotate(database, token, when);
    },
    removeAll: (tenant) => database.run('DELETE FROM tokens WHERE tenant = ?', tenant).changes,
  };
}

function prepare({ tenant, roles: given, label, nowMs, expiresMs }: NewToken): MadeToken {
  const token: Token = {
    id: newTokenId(nowMs),
    tenant,
    roles: roles.filter((role) => given.includes(role)),
    label,
    createdMs: nowMs,
    ...(expiresMs === undefined ? {} : { expiresMs }),
  };
  if (token.roles.length === 0)
    throw new FixRequestError('state.token-without-role', 'A token without a role could do nothing. Give it one.');
  return { token, secret: newSecret() };
}

function add(database: Database, { token, secret }: MadeToken): void {
  const { id, tenant, roles: given, label, createdMs, expiresMs } = token;
  database.transact(() => {
    database.run(
      'INSERT INTO tokens (id, tenant, roles, label, created_ms, expires_ms) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      tenant,
      given.join(' '),
      label,
      createdMs,
      expiresMs ?? null,
    );
    database.run('INSERT INTO token_secrets (hash, token) VALUES (?, ?)', sha256(secret), id);
  });
}

function rotate(database: Database, token: Token, { nowMs, graceMs }: { readonly nowMs: number; readonly graceMs: number }): MadeToken {
  refuseEnded(token, nowMs);
  const secret = newSecret();
  database.transact(() => {
    const until = nowMs + Math.max(0, graceMs);
    database.run('UPDATE token_secrets SET until_ms = min(coalesce(until_ms, ?), ?) WHERE token = ?', until, until, token.id);
    database.run('DELETE FROM token_secrets WHERE token = ? AND until_ms <= ?', token.id, nowMs);
    database.run('INSERT INTO token_secrets (hash, token) VALUES (?, ?)', sha256(secret), token.id);
  });
  return { token, secret };
}

/**
 * Looked up by its hash: who tries secrets learns from the time at most how far a hash that he cannot choose agrees with
 * one that he does not know. The last comparison is in constant time all the same.
 */
function authenticate(database: Database, secret: string, nowMs: number): Principal | undefined {
  if (!secretShape.test(secret)) return undefined;
  const hash = sha256(secret);
  const row = database.statement(secretSql).get(hash) as SecretRow | undefined;
  if (row === undefined) return undefined;
  const [id, tenant, known, expiresMs, revokedMs, lastUsedMs, kept, untilMs] = row;
  if (!timingSafeEqual(Buffer.from(kept), Buffer.from(hash))) return undefined;
  if (revokedMs !== null || [expiresMs, untilMs].some((endMs) => endMs !== null && endMs <= nowMs)) return undefined;
  if (lastUsedMs === null || Math.abs(nowMs - lastUsedMs) >= coarseMs) touch(database, id, nowMs);
  return { kind: 'service', id, tenant, roles: rolesOf(known) };
}

function touch(database: Database, id: TokenId, nowMs: number): void {
  try {
    database.relaxed(() => database.run('UPDATE tokens SET last_used_ms = ? WHERE id = ?', nowMs, id));
  } catch {
    // silent-ok: a full or busy disk must not lock out who has a right to come in; only a time for people is lost.
  }
}

/** @throws FixRequestError for a token that nobody can come in with any more. */
export function refuseEnded(token: Token, nowMs: number): void {
  if (isLive(token, nowMs)) return;
  const how = token.revokedMs === undefined ? 'expired' : 'was revoked';
  throw new FixRequestError('state.token-ended', `Token ${token.id} ${how}, so it gets no new secret. Make another one.`);
}

function isLive({ expiresMs, revokedMs }: Token, nowMs: number): boolean {
  return revokedMs === undefined && (expiresMs === undefined || nowMs < expiresMs);
}

function newSecret(): string {
  return `${prefix}${randomBytes(32).toString('base64url')}`;
}

function rolesOf(words: string): Token['roles'] {
  const known = words.split(' ');
  return roles.filter((role) => known.includes(role));
}

function tokenOf(row: z.infer<typeof rowShape>): Token {
  return {
    id: row.id as TokenId,
    tenant: row.tenant as TenantId,
    roles: rolesOf(row.roles),
    label: row.label,
    createdMs: row.created_ms,
    ...(row.expires_ms === null ? {} : { expiresMs: row.expires_ms }),
    ...(row.revoked_ms === null ? {} : { revokedMs: row.revoked_ms }),
    ...(row.last_used_ms === null ? {} : { lastUsedMs: row.last_used_ms }),
  };
}
