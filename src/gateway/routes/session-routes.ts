import * as z from 'zod/mini';
import type { AgentId, SessionId } from '../../contracts/ids.ts';
import { unknownThing } from '../request-refused-error.ts';
import { defineRoute, json, readers, type Route } from '../route.ts';
import { shownRun } from './find-run.ts';
import { defaultPage, name, nextCursor, pageLimit, pageOf, runId, runRow, sessionId, timeMs } from './shapes.ts';

const session = z.object({ id: sessionId, tenant: name, agent: name, createdMs: timeMs, lastRun: z.optional(runId) });

export const listSessions: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/sessions',
  summary: 'Sessions, newest first: chains of runs of one agent that share a conversation.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject({ agent: z.optional(name), cursor: z.optional(sessionId), limit: pageLimit }),
  answer: z.object({ sessions: z.array(session), next: nextCursor }),
  handle: (ctx, { tenant, query }) => {
    const limit = query.limit ?? defaultPage;
    const rows = ctx.stores(tenant).sessions.list({
      tenant,
      limit: limit + 1,
      ...(query.agent === undefined ? {} : { agent: query.agent as AgentId }),
      ...(query.cursor === undefined ? {} : { before: query.cursor as SessionId }),
    });
    const { page, next } = pageOf(rows, limit, (row) => row.id);
    return json({ sessions: page, next });
  },
});

export const showSession: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/sessions/{session}',
  summary: 'One session with its last runs, newest first.',
  scope: 'tenant',
  roles: readers,
  params: z.strictObject({ session: sessionId }),
  answer: z.object({ session, runs: z.array(runRow) }),
  handle: (ctx, { tenant, params }) => {
    const found = ctx.stores(tenant).sessions.get(params.session as SessionId);
    if (found === undefined || found.tenant !== tenant) throw unknownThing('session', params.session);
    return json({ session: found, runs: ctx.stores(tenant).runs.list({ tenant, session: found.id }).map(shownRun) });
  },
});
