import { counted } from '../../contracts/counted.ts';
import { ClawholdError } from '../../contracts/errors.ts';
import type { TenantId } from '../../contracts/ids.ts';
import { sha256 } from '../../contracts/json.ts';
import type { Principal } from '../../contracts/principal.ts';
import type { Tenant } from '../../state/tenants.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { openRateLimit, type RateLimit } from '../rate-limit.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import type { Route } from '../route.ts';

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

export interface Incoming {
  readonly headers: Headers;
  readonly ip: string;
  readonly nowMs: number;
}

/** Says who asks, or refuses. */
export interface Identify {
  /** Undefined for routes that need nobody. @throws RequestRefusedError (401, 403, 429) */
  (route: Route, incoming: Incoming): Principal | undefined;
}

const knownTokens = 1024;

/**
 * Identity, tenant, role, rate: in this order, before a byte of the body is read.
 *
 * An address that sends wrong tokens is held off before its tokens are looked at; a token that was right a moment ago is
 * looked at all the same, so that one program's mistakes do not lock out its neighbour.
 */
export function openIdentify(ctx: Pick<GatewayContext, 'authenticate' | 'tenants' | 'limits' | 'metrics'>): Identify {
  const limits = { failures: openRateLimit(), principals: openRateLimit(), tenants: openRateLimit(), addresses: openRateLimit() };
  const known = new Set<string>();
  return (route, incoming) => {
    // The scope decides and not the roles: a route that forgot its roles is nobody's.
    if (route.scope === 'public' || route.scope === 'signed') {
      refuseWhenOver(ctx, limits.addresses.take(incoming.ip, { perMinute: ctx.limits?.publicPerMinute ?? 6000 }, incoming.nowMs));
      return undefined;
    }
    const principal = authenticate(ctx, { incoming, known, failures: limits.failures });
    checkTenant(incoming.headers['x-tenant-id'], principal);
    checkRole(route, principal);
    checkRates(ctx, principal, { ...limits, nowMs: incoming.nowMs });
    return principal;
  };
}

/** The bearer token of a request, if it has one. */
export function secretOf(headers: Headers): string | undefined {
  return /^Bearer ([\x21-\x7e]{1,512})$/i.exec(String(headers['authorization'] ?? ''))?.[1];
}

interface Attempt {
  readonly incoming: Incoming;
  readonly known: Set<string>;
  readonly failures: RateLimit;
}

function authenticate(
  ctx: Pick<GatewayContext, 'authenticate' | 'limits' | 'metrics'>,
  { incoming: { headers, ip, nowMs }, known, failures }: Attempt,
): Principal {
  const rate = { perMinute: ctx.limits?.failuresPerMinute ?? 60 };
  const secret = secretOf(headers);
  const print = secret === undefined ? '' : sha256(secret);
  if (!known.has(print)) {
    const wait = failures.peek(ip, rate, nowMs);
    if (wait !== undefined) ctx.metrics.count('auth_failures_total', { reason: 'too-many' });
    refuseWhenOver(ctx, wait);
  }
  const principal = secret === undefined ? undefined : ctx.authenticate(secret, nowMs);
  if (principal === undefined) {
    known.delete(print);
    failures.take(ip, rate, nowMs);
    ctx.metrics.count('auth_failures_total', { reason: secret === undefined ? 'no-token' : 'wrong-token' });
    const code = secret === undefined ? 'gateway.no-token' : 'gateway.wrong-token';
    const what = secret === undefined ? 'A token is needed' : 'The token is not known, has expired or was revoked';
    throw new RequestRefusedError(401, code, `${what}. Send "Authorization: Bearer TOKEN"; "clawhold tokens create" makes one.`);
  }
  if (!known.has(print)) {
    known.add(print);
    if (known.size > knownTokens) known.delete(known.values().next().value as string);
  }
  return principal;
}

/** The header may name the tenant that the token has; it never changes it. */
function checkTenant(named: Headers[string], principal: Principal): void {
  if (named === undefined || named === principal.tenant) return;
  const code = 'gateway.other-tenant';
  const message = `The token belongs to another tenant than X-Tenant-ID says. Leave the header out, or use a token of that tenant.`;
  throw new RequestRefusedError(403, code, message);
}

function checkRole(route: Route, principal: Principal): void {
  if (route.scope === 'platform' && principal.tenant !== 'default') {
    const code = 'gateway.platform-only';
    throw new RequestRefusedError(403, code, 'This is for the platform: only tokens of tenant default may use it.');
  }
  if (route.roles.some((role) => principal.roles.includes(role))) return;
  const code = 'gateway.wrong-role';
  const message = `The token has the role ${principal.roles.join(', ')}, and this needs ${route.roles.join(' or ')}. Use a token with that role.`;
  throw new RequestRefusedError(403, code, message);
}

function checkRates(
  ctx: Pick<GatewayContext, 'tenants' | 'limits' | 'metrics'>,
  { id, tenant }: Principal,
  { principals, tenants, nowMs }: { readonly principals: RateLimit; readonly tenants: RateLimit; readonly nowMs: number },
): void {
  refuseWhenOver(ctx, principals.take(id, { perMinute: ctx.limits?.principalPerMinute ?? 120_000 }, nowMs), tenant);
  const limit = tenantOf(ctx, tenant).config.quotas?.requestsPerMinute;
  if (limit === undefined) return;
  const wait = tenants.take(tenant, { perMinute: limit }, nowMs);
  if (wait === undefined) return;
  ctx.metrics.count('rate_limited_total', { tenant });
  const code = 'gateway.requests-per-minute';
  throw new RequestRefusedError(
    429,
    code,
    `Tenant ${tenant} may make ${counted(limit, 'request')} a minute (quota requestsPerMinute), and they are used up. Try again in ${wait} s.`,
    { remedy: 'retry', retryAfterSeconds: wait, quota: { name: 'requestsPerMinute', limit, used: limit } },
  );
}

function refuseWhenOver(ctx: Pick<GatewayContext, 'metrics'>, wait: number | undefined, tenant?: string): void {
  if (wait === undefined) return;
  if (tenant !== undefined) ctx.metrics.count('rate_limited_total', { tenant });
  const code = 'gateway.too-many-requests';
  throw new RequestRefusedError(429, code, `There were too many requests. Try again in ${wait} s.`, {
    remedy: 'retry',
    retryAfterSeconds: wait,
  });
}

/** Whether requests of the tenant are answered. */
export function isOpenTenant(ctx: Pick<GatewayContext, 'tenants'>, id: TenantId): boolean {
  try {
    return tenantOf(ctx, id) !== undefined;
  } catch (error) {
    if (error instanceof RequestRefusedError) return false;
    throw error;
  }
}

/** A tenant that is gone or whose file is wrong is closed, until its operator has seen to it. */
function tenantOf(ctx: Pick<GatewayContext, 'tenants'>, id: TenantId): Tenant {
  const code = 'gateway.tenant-closed';
  const refuse = (cause?: unknown): RequestRefusedError => {
    const message = `Tenant ${id} is closed: it is gone, or its configuration is not valid. Ask whoever runs this installation.`;
    return new RequestRefusedError(403, code, message, { cause });
  };
  let tenant: Tenant | undefined;
  try {
    tenant = ctx.tenants.get(id);
  } catch (error) {
    if (error instanceof ClawholdError) throw refuse(error);
    throw error;
  }
  if (tenant === undefined) throw refuse();
  return tenant;
}
