import * as z from 'zod/mini';
import { defineRoute, json, readers, type Route } from '../route.ts';
import { findAgent } from './find-agent.ts';
import { count, name, namedPage, nextCursor, pageByName } from './shapes.ts';

const summary = { agent: name, description: z.string(), grants: z.array(z.string()) };

export const listAgents: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/agents',
  summary: 'Agents of the tenant, and which tools a human granted them.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject(namedPage),
  answer: z.object({ agents: z.array(z.object(summary)), next: nextCursor }),
  handle: async (ctx, { tenant, query }) => {
    const { page, next } = pageByName(await ctx.agents.list(tenant), query, ({ agent }) => agent);
    return json({ agents: page, next });
  },
});

export const showAgent: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/agents/{agent}',
  summary: 'One agent: its model, the tools that it is offered, the size of its prompt.',
  scope: 'tenant',
  roles: readers,
  params: z.strictObject({ agent: name }),
  answer: z.object({ agent: z.object({ ...summary, model: z.nullable(z.string()), tools: z.array(z.string()), promptBytes: count }) }),
  handle: async (ctx, call) => json({ agent: await findAgent(ctx, call, call.params.agent) }),
});
