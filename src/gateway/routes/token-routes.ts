import * as z from 'zod/mini';
import type { TokenId } from '../../contracts/ids.ts';
import { hashJson } from '../../contracts/json.ts';
import { roles } from '../../contracts/principal.ts';
import { refuseEnded, type Token } from '../../state/tokens.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { unknownThing } from '../request-refused-error.ts';
import { admins, defineRoute, json, lastStep, type Call, type Route } from '../route.ts';
import { defaultPage, name, nextCursor, pageLimit, pageOf, timeMs, tokenId } from './shapes.ts';

const token = z.object({
  id: tokenId,
  tenant: name,
  roles: z.array(z.enum(roles)),
  label: z.string(),
  createdMs: timeMs,
  expiresMs: z.optional(timeMs),
  revokedMs: z.optional(timeMs),
  lastUsedMs: z.optional(timeMs),
});
const madeToken = z.object({ token, secret: z.string() });
const params = z.strictObject({ token: tokenId });
const dayMs = 86_400_000;

export const listTokens: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/tokens',
  summary: 'Tokens of the tenant, newest first, ended ones too. No secret is kept that could be shown.',
  scope: 'tenant',
  roles: admins,
  query: z.strictObject({ cursor: z.optional(tokenId), limit: pageLimit }),
  answer: z.object({ tokens: z.array(token), next: nextCursor }),
  handle: (ctx, { tenant, query: { cursor, limit = defaultPage } }) => {
    const rows = ctx.tokens.list(tenant, { limit: limit + 1, before: cursor as TokenId | undefined });
    const { page, next } = pageOf(rows, limit, (row) => row.id);
    return json({ tokens: page, next });
  },
});

export const createToken: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/tokens',
  summary: 'Make a token of the tenant. Its secret is shown once.',
  scope: 'tenant',
  roles: admins,
  status: 201,
  isSecret: true,
  example: { roles: ['submitter'], label: 'ci', expiresDays: 90 },
  body: z.strictObject({
    roles: z.array(z.enum(roles)).check(z.minLength(1)),
    label: z.optional(z.string().check(z.maxLength(200))),
    expiresDays: z.optional(z.int().check(z.positive(), z.maximum(3650))),
  }),
  answer: madeToken,
  handle: async (ctx, call) => {
    const { tenant, nowMs, body } = call;
    const expires = body.expiresDays === undefined ? {} : { expiresMs: nowMs + body.expiresDays * dayMs };
    const made = ctx.tokens.prepare({ tenant, roles: body.roles, label: body.label ?? '', nowMs, ...expires });
    await record(ctx, call, { after: made.token });
    return lastStep(() => {
      ctx.tokens.add(made);
      return made;
    });
  },
});

export const revokeToken: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/tokens/{token}/revoke',
  summary: 'End a token and every secret that it ever had, at once.',
  scope: 'tenant',
  roles: admins,
  params,
  answer: z.object({ token }),
  handle: async (ctx, call) => {
    const { before, id } = find(ctx, call);
    const after = ctx.tokens.revoke(call.tenant, id, call.nowMs) ?? before;
    if (before.revokedMs === undefined) await record(ctx, call, { before, after });
    return json({ token: after });
  },
});

export const rotateToken: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/tokens/{token}/rotate',
  summary: 'Give a token a new secret, which is shown once; the old one stays good for a while.',
  scope: 'tenant',
  roles: admins,
  isSecret: true,
  params,
  body: z.strictObject({ graceMinutes: z.optional(z.int().check(z.nonnegative(), z.maximum(7 * 24 * 60))) }),
  answer: madeToken,
  handle: async (ctx, call) => {
    const { before, id } = find(ctx, call);
    refuseEnded(before, call.nowMs);
    await record(ctx, call, { before, after: { ...before, rotatedMs: call.nowMs } });
    return lastStep(() => {
      const rotated = ctx.tokens.rotate(call.tenant, id, { nowMs: call.nowMs, graceMs: (call.body.graceMinutes ?? 0) * 60_000 });
      if (rotated === undefined) throw unknownThing('token', id);
      return rotated;
    });
  },
});

type TokenCall = Pick<Call<{ readonly token: string }>, 'params' | 'tenant'>;

function find(ctx: GatewayContext, { tenant, params: { token: text } }: TokenCall): { readonly before: Token; readonly id: TokenId } {
  const id = text as TokenId;
  const before = ctx.tokens.get(tenant, id);
  if (before === undefined) throw unknownThing('token', id);
  return { before, id };
}

/** In the tenant's ledger, as the command line does: hashes of what a list shows; a secret is in none. */
async function record(
  ctx: GatewayContext,
  { principal, tenant, nowMs }: Pick<Call, 'principal' | 'tenant' | 'nowMs'>,
  { before, after }: { readonly before?: Token; readonly after: Token & { readonly rotatedMs?: number } },
): Promise<void> {
  await (
    await ctx.ledger(tenant)
  ).append({
    type: 'config.change',
    at: new Date(nowMs).toISOString(),
    principal: { kind: principal.kind, id: principal.id },
    file: `tokens/${after.id}`,
    ...(before === undefined ? {} : { before: hashJson(before) }),
    after: hashJson(after),
  });
}
