import type { SqlValue } from '../../database.ts';
import type { QueueScope } from '../../queue.ts';

/** What `inScope` of a query compares with: tenant, agent type and shard, null where any will do. */
export function scopeValues({ tenant, agentType, shard }: QueueScope): [SqlValue, SqlValue, SqlValue] {
  return [tenant ?? null, agentType ?? null, shard ?? null];
}

/** For a query over `lane` whose first three parameters are `scopeValues`. */
export const inScope = `(?1 IS NULL OR lane.tenant = (SELECT id FROM tenant WHERE name = ?1))
  AND (?2 IS NULL OR lane.agent_type = ?2) AND (?3 IS NULL OR lane.shard = ?3)`;

/** How many tasks of the tenant of `tenant` are leased. */
export const leasedOfTenant = '(SELECT sum(leased) FROM lane AS own WHERE own.tenant = tenant.id)';

/** For a query over `tenant`: below its bound, if it has one. */
export const hasRoom = `(tenant.max_leased IS NULL OR ${leasedOfTenant} < tenant.max_leased)`;

/** Consumers of one scope share one round. A tenant's own consumers have nothing to share. */
export function roundName({ tenant, agentType, shard }: QueueScope): string {
  return JSON.stringify([tenant ?? null, agentType ?? null, shard ?? null]);
}
