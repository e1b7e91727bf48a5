import * as z from 'zod/mini';
import { ClawholdError, reasonOf } from '../../contracts/errors.ts';
import type { Project } from '../../contracts/project.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError } from '../request-refused-error.ts';
import { defineRoute, json, readers, type Call, type Route } from '../route.ts';
import { count, name, namedPage, nextCursor, pageByName } from './shapes.ts';

const project = z.object({
  id: name,
  title: z.string(),
  lanes: z.array(z.object({ lane: name, rateLimits: z.object({ runsPerMinute: z.optional(count), runsPerHour: z.optional(count) }) })),
  tags: z.array(z.string()),
});

export const listProjects: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/projects',
  summary: 'Projects of the tenant, with the lanes that a run may name. Where their repos lie is not told.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject(namedPage),
  answer: z.object({ projects: z.array(project), next: nextCursor }),
  handle: async (ctx, call) => {
    const { page, next } = pageByName(await registryOf(ctx, call), call.query, ({ id }) => id);
    return json({ projects: page.map(({ id, title, lanes, tags }) => ({ id, title, lanes, tags })), next });
  },
});

/** A wrong file is told with its line to operators of the platform alone: the line may be in the platform's own. */
async function registryOf(ctx: GatewayContext, { principal, tenant }: Pick<Call, 'principal' | 'tenant'>): Promise<readonly Project[]> {
  try {
    return await ctx.projects(tenant);
  } catch (error) {
    if (!(error instanceof ClawholdError) || error.remedy !== 'fix-request') throw error;
    const isOperator = tenant === 'default' && principal.roles.some((role) => role === 'admin' || role === 'operator');
    const what = 'Projects cannot be listed now, because a projects.yaml is not valid. Tell whoever runs this installation.';
    const code = 'control.projects-invalid';
    throw new RequestRefusedError(409, code, isOperator ? `${what} ${reasonOf(error)}` : what, { cause: error });
  }
}
