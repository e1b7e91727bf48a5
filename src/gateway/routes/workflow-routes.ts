import { randomBytes } from 'node:crypto';
import * as z from 'zod/mini';
import { ClawholdError, reasonOf } from '../../contracts/errors.ts';
import type { WorkflowFile } from '../../contracts/workflow.ts';
import { passageView } from '../../control/passage-view.ts';
import { refuseWrongInput } from '../../control/workflows.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import { defineRoute, json, readers, submitters, type Call, type Route } from '../route.ts';
import { defaultPage, name, namedPage, nextCursor, pageByName, pageLimit, pageOf } from './shapes.ts';

const workflow = z.object({ name, agents: z.array(name), description: z.string(), isValid: z.boolean() });
const passageId = z.string().check(z.regex(/^wfl_[0-9a-f]{26}$/, 'must be wfl_ and 26 digits or letters from a to f'));
const passage = z.object({
  id: z.string(),
  workflow: name,
  state: z.enum(['running', 'done', 'failed']),
  reason: z.string(),
  created: z.string(),
  steps: z.array(z.object({ agent: name, state: z.enum(['done', 'at work', 'failed', 'waits']), run: z.nullable(z.string()) })),
});

export const listWorkflows: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/workflows',
  summary: 'Workflows of the tenant: agents one after the other. One whose file is wrong is listed without its steps.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject(namedPage),
  answer: z.object({ workflows: z.array(workflow), next: nextCursor }),
  handle: async ({ workflows }, { tenant, query }) => {
    const { page, next } = pageByName(workflows.names(tenant), query, (one) => one);
    const shown = page.map(async (one) => {
      const definition = await workflows.read(tenant, one).catch(brokenIsUndefined);
      const agents = definition?.steps.map(({ agent }) => agent) ?? [];
      return { name: one, agents, description: definition?.description ?? '', isValid: definition !== undefined };
    });
    return json({ workflows: await Promise.all(shown), next });
  },
});

export const runWorkflow: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/workflows/{workflow}/run',
  summary: 'Begin a workflow. The passage is durable when this answers; each of its runs is admitted like any other.',
  scope: 'tenant',
  roles: submitters,
  status: 202,
  params: z.strictObject({ workflow: name }),
  body: z.strictObject({
    /** Stands for {{input}}. */
    input: z.optional(z.string().check(z.minLength(1), z.maxLength(64 * 1024))),
  }),
  answer: z.object({ passage }),
  handle: async (ctx, call) => {
    const { tenant, principal, params, body, idempotencyKey } = call;
    const definition = await findWorkflow(ctx, call, params.workflow);
    refuseWrongInput(params.workflow, definition, body.input ?? '');
    if (ctx.tenants.get(tenant)?.isActive !== true) {
      const code = 'gateway.tenant-suspended';
      throw new RequestRefusedError(403, code, `Tenant ${tenant} is suspended, so nothing was begun. Ask whoever runs this installation.`);
    }
    const row = await ctx.workflows.start({
      tenant,
      name: params.workflow,
      principal: { kind: principal.kind, id: principal.id },
      door: 'http',
      input: body.input ?? '',
      // The same key gives the same passage, also when the answer was lost in a crash.
      key: `http:${idempotencyKey ?? randomBytes(16).toString('hex')}`,
    });
    // The key outlives the kept answer: it must not hide that something else is asked for now.
    if (row.name !== params.workflow || row.input !== (body.input ?? '')) {
      const code = 'gateway.other-request';
      throw new RequestRefusedError(422, code, 'This Idempotency-Key was used for another request. Use a new key for a new request.');
    }
    return json({ passage: passageView(row) }, { headers: { location: `/api/v1/passages/${row.id}` } });
  },
});

export const listPassages: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/passages',
  summary: 'Passages through workflows, newest first.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject({ cursor: z.optional(passageId), limit: pageLimit }),
  answer: z.object({ passages: z.array(passage), next: nextCursor }),
  handle: ({ workflows }, { tenant, query: { cursor, limit = defaultPage } }) => {
    const { page, next } = pageOf(workflows.passages.list(tenant, limit + 1, cursor), limit, ({ id }) => id);
    return json({ passages: page.map(passageView), next });
  },
});

export const showPassage: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/passages/{passage}',
  summary: 'One passage, step by step.',
  scope: 'tenant',
  roles: readers,
  params: z.strictObject({ passage: passageId }),
  answer: z.object({ passage }),
  handle: ({ workflows }, { tenant, params }) => {
    const row = workflows.passages.get(tenant, params.passage);
    if (row === undefined) throw unknownThing('passage', params.passage);
    return json({ passage: passageView(row) });
  },
});

/** @throws RequestRefusedError 404 when there is none; 409 when its file is wrong: operators of the platform see where. */
export async function findWorkflow(
  { workflows }: Pick<GatewayContext, 'workflows'>,
  { tenant, principal }: Pick<Call, 'tenant' | 'principal'>,
  wanted: string,
): Promise<WorkflowFile> {
  if (!workflows.names(tenant).includes(wanted)) throw unknownThing('workflow', wanted);
  try {
    return await workflows.read(tenant, wanted);
  } catch (error) {
    brokenIsUndefined(error);
    const isOperator = tenant === 'default' && principal.roles.some((role) => role === 'admin' || role === 'operator');
    const what = `Workflow ${wanted} cannot begin, because its file is not valid. "clawhold workflows list" tells its operator why.`;
    const code = 'gateway.workflow-invalid';
    throw new RequestRefusedError(409, code, isOperator ? `${what} ${reasonOf(error)}` : what, { cause: error });
  }
}

function brokenIsUndefined(error: unknown): undefined {
  if (!(error instanceof ClawholdError) || error.remedy !== 'fix-request') throw error;
  return undefined;
}
