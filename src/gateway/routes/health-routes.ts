import * as z from 'zod/mini';
import { admins, defineRoute, json, type Route } from '../route.ts';

export const health: Route = defineRoute({
  method: 'GET',
  path: '/healthz',
  summary: 'Whether the process answers. Says nothing else.',
  scope: 'public',
  roles: [],
  answer: z.object({ status: z.literal('ok') }),
  handle: () => json({ status: 'ok' }),
});

export const readiness: Route = defineRoute({
  method: 'GET',
  path: '/readyz',
  summary: 'Whether work can be taken: 503 with the names of what does not answer.',
  scope: 'public',
  roles: [],
  answer: z.object({ status: z.enum(['ready', 'not-ready']), failing: z.array(z.string()) }),
  handle: async (ctx) => {
    const checks = await ctx.readiness();
    const failing = checks.filter(({ isReady }) => !isReady);
    if (failing.length === 0) return json({ status: 'ready', failing: [] });
    return json({ status: 'not-ready', failing: failing.map(({ name }) => name) }, { status: 503, headers: { 'retry-after': '2' } });
  },
});

export const metrics: Route = defineRoute({
  method: 'GET',
  path: '/metrics',
  summary: "Figures of the whole installation in Prometheus' text format.",
  scope: 'platform',
  roles: [...admins, 'operator', 'viewer'],
  media: 'text/plain; version=0.0.4; charset=utf-8',
  handle: async (ctx) => ({ kind: 'text', type: 'text/plain; version=0.0.4; charset=utf-8', text: await ctx.metricsText() }),
});
