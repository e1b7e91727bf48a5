import { runStates, terminalStates, type RunState } from '../../contracts/run.ts';

export const openStates: readonly RunState[] = runStates.filter((state) => !terminalStates.has(state));
export const endedStates: readonly RunState[] = runStates.filter((state) => terminalStates.has(state));

/** As the partial indexes of `runs` say it, word for word: SQLite takes one only for a query that says the same, or one of its states. */
export const isOpen: string = anyOf(openStates);
export const isEnded: string = anyOf(endedStates);

function anyOf(states: readonly RunState[]): string {
  return `(${states.map((state) => `state = '${state}'`).join(' OR ')})`;
}

/** All tenants that have such runs, found by a step for each, however many runs they have. */
export function eachTenant(name: string, where: string): string {
  return `${name} (tenant) AS (
    SELECT * FROM (SELECT tenant FROM runs WHERE ${where} ORDER BY tenant LIMIT 1)
    UNION ALL
    SELECT (SELECT tenant FROM runs WHERE ${where} AND tenant > before.tenant ORDER BY tenant LIMIT 1)
    FROM ${name} AS before WHERE before.tenant IS NOT NULL
  )`;
}

/** The same for the agents that have open runs, of the tenants that `open_tenant` holds. */
export function eachAgent(name: string): string {
  return `${name} (tenant, agent) AS (
    SELECT tenant, (SELECT agent FROM runs WHERE tenant = open_tenant.tenant AND ${isOpen} ORDER BY agent LIMIT 1) FROM open_tenant
    UNION ALL
    SELECT tenant, (SELECT agent FROM runs WHERE tenant = before.tenant AND ${isOpen} AND agent > before.agent ORDER BY agent LIMIT 1)
    FROM ${name} AS before WHERE before.agent IS NOT NULL
  )`;
}
