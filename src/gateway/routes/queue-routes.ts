import * as z from 'zod/mini';
import type { TaskId, TenantId } from '../../contracts/ids.ts';
import type { Principal } from '../../contracts/principal.ts';
import { requeueTasks as requeueDead } from '../../control/requeue-tasks.ts';
import { recordQueueChange, type QueueChange } from '../../governance/record-queue-change.ts';
import type { QueueScope, TaskFacts } from '../../state/queue.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import { defineRoute, json, operators, type Call, type Route } from '../route.ts';
import { count, defaultPage, name, nextCursor, pageLimit, pageOf, taskId, timeMs } from './shapes.ts';

/** Another tenant's queue, or `*` for all of them: for admins of the platform. Absent: one's own. */
const tenantChoice = z.optional(z.union([name, z.literal('*')]));
const taskStates = ['scheduled', 'ready', 'leased', 'done', 'dead'] as const;

export const queueStatus: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/queue',
  summary: 'How many tasks wait, are worked on or are dead.',
  scope: 'tenant',
  roles: operators,
  query: z.strictObject({ tenant: tenantChoice }),
  answer: z.object({
    queues: z.array(
      z.object({
        tenant: name,
        agentType: z.string(),
        scheduled: count,
        ready: count,
        leased: count,
        dead: count,
        isPaused: z.boolean(),
        oldestReadyMs: z.optional(timeMs),
      }),
    ),
  }),
  handle: async (ctx, { principal, query }) => json({ queues: await ctx.queue.counts(scopeOf(ctx, principal, query.tenant)) }),
});

const task = z.object({
  task: taskId,
  tenant: name,
  agentType: z.string(),
  swarm: z.string(),
  state: z.enum(taskStates),
  priority: count,
  deliveries: count,
  putMs: timeMs,
  notBeforeMs: z.optional(timeMs),
  leaseUntilMs: z.optional(timeMs),
  lastReason: z.optional(z.string()),
});

export const listTasks: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/queue/tasks',
  summary: 'Tasks in one state, oldest first. Default: dead ones.',
  scope: 'tenant',
  roles: operators,
  query: z.strictObject({ tenant: tenantChoice, state: z.optional(z.enum(taskStates)), cursor: z.optional(taskId), limit: pageLimit }),
  answer: z.object({ tasks: z.array(task), next: nextCursor }),
  handle: async (ctx, { principal, query }) => {
    const limit = query.limit ?? defaultPage;
    const rows = await ctx.queue.list({
      ...scopeOf(ctx, principal, query.tenant),
      state: query.state ?? 'dead',
      limit: limit + 1,
      ...(query.cursor === undefined ? {} : { after: query.cursor as TaskId }),
    });
    const { page, next } = pageOf(rows, limit, ({ message }) => message.task_id);
    return json({ tasks: page.map(shownTask), next });
  },
});

export const requeueTasks: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/queue/requeue',
  summary: 'Make a dead task ready again, or all of them. Their runs are accepted again.',
  scope: 'tenant',
  roles: operators,
  body: z.strictObject({ tenant: tenantChoice, task: z.optional(taskId) }),
  answer: z.object({ requeued: count }),
  handle: async (ctx, call) => {
    const { principal, body } = call;
    const scope = scopeOf(ctx, principal, body.tenant);
    await record(ctx, call, { change: 'requeued', ...scope, ...(body.task === undefined ? {} : { task: body.task }) });
    const requeueing = { queue: ctx.queue, runsOf: (tenant: TenantId) => ctx.stores(tenant).runs };
    return json({ requeued: await requeueDead(requeueing, body.task === undefined ? scope : { ...scope, task: body.task as TaskId }) });
  },
});

const isPaused = z.object({ isPaused: z.boolean() });

export const pauseQueue: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/queue/pause',
  summary: 'Start nothing more until it is resumed; what waits is kept, and what runs goes on.',
  scope: 'tenant',
  roles: operators,
  body: z.strictObject({ tenant: tenantChoice }),
  answer: isPaused,
  handle: async (ctx, call) => {
    const scope = scopeOf(ctx, call.principal, call.body.tenant);
    await record(ctx, call, { change: 'paused', ...scope });
    await ctx.queue.pause(scope);
    return json({ isPaused: true });
  },
});

export const resumeQueue: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/queue/resume',
  summary: 'Go on after a pause.',
  scope: 'tenant',
  roles: operators,
  body: z.strictObject({ tenant: tenantChoice }),
  answer: isPaused,
  handle: async (ctx, call) => {
    const scope = scopeOf(ctx, call.principal, call.body.tenant);
    await record(ctx, call, { change: 'resumed', ...scope });
    await ctx.queue.resume(scope);
    return json({ isPaused: false });
  },
});

async function record(
  ctx: Pick<GatewayContext, 'ledger'>,
  { principal: { kind, id }, tenant, nowMs }: Pick<Call, 'principal' | 'tenant' | 'nowMs'>,
  change: { readonly change: QueueChange['change'] } & Pick<QueueScope, 'tenant'> & { readonly task?: string },
): Promise<void> {
  await recordQueueChange(await ctx.ledger(tenant), { principal: { kind, id }, ...change }, nowMs);
}

/** @throws RequestRefusedError when somebody names another tenant who is not the platform's admin, or one that is not there. */
function scopeOf({ tenants }: Pick<GatewayContext, 'tenants'>, principal: Principal, tenant: string | undefined): QueueScope {
  if (tenant === undefined || tenant === principal.tenant) return { tenant: principal.tenant };
  if (principal.tenant !== 'default' || !principal.roles.includes('admin')) {
    const code = 'gateway.platform-only';
    throw new RequestRefusedError(
      403,
      code,
      'Only an admin of tenant default may work on the queue of another tenant. Leave "tenant" out.',
    );
  }
  if (tenant === '*') return {};
  // A pause for a name that is mistyped would hold nothing, and later hold whoever gets the name.
  if (!tenants.list().includes(tenant as TenantId)) throw unknownThing('tenant', tenant);
  return { tenant: tenant as TenantId };
}

/** What a task is told is its executor's; its run shows what may be seen of it. */
function shownTask({ message, worker: _worker, ...facts }: TaskFacts): z.output<typeof task> {
  const { task_id: id, tenant_id: tenant, agent_type: agentType, swarm_id: swarm } = message;
  return { task: id, tenant, agentType, swarm, ...facts };
}
