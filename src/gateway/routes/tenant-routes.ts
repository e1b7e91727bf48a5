import * as z from 'zod/mini';
import { ClawholdError, reasonOf } from '../../contracts/errors.ts';
import type { TenantId } from '../../contracts/ids.ts';
import { tenantConfig } from '../../contracts/tenant.ts';
import type { Tenant } from '../../state/tenants.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import { admins, defineRoute, json, type Route } from '../route.ts';
import { name, namedPage, nextCursor, pageByName } from './shapes.ts';

export const listTenants: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/tenants',
  summary: 'Names of all tenants.',
  scope: 'platform',
  roles: admins,
  query: z.strictObject(namedPage),
  answer: z.object({ tenants: z.array(name), next: nextCursor }),
  handle: (ctx, { query }) => {
    const { page, next } = pageByName(ctx.tenants.list(), query, (id) => id);
    return json({ tenants: page, next });
  },
});

export const showTenant: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/tenants/{tenant}',
  summary: 'One tenant: whether it is active, and its quotas. Changing them is for the command line.',
  scope: 'platform',
  roles: admins,
  params: z.strictObject({ tenant: name }),
  answer: z.object({ tenant: name, isActive: z.boolean(), config: tenantConfig }),
  handle: (ctx, { params }) => {
    const tenant = tenantOf(ctx, params.tenant as TenantId);
    if (tenant === undefined) throw unknownThing('tenant', params.tenant);
    return json({ tenant: tenant.id, isActive: tenant.isActive, config: tenant.config });
  },
});

/** Who may ask here is told the line. @throws RequestRefusedError 409 when the tenant's file is wrong. */
function tenantOf({ tenants }: Pick<GatewayContext, 'tenants'>, id: TenantId): Tenant | undefined {
  try {
    return tenants.get(id);
  } catch (error) {
    if (!(error instanceof ClawholdError) || error.remedy !== 'fix-request') throw error;
    const code = 'gateway.tenant-invalid';
    throw new RequestRefusedError(409, code, `Tenant ${id} starts nothing, because its configuration is not valid. ${reasonOf(error)}`, {
      cause: error,
    });
  }
}
