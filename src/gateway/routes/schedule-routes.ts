import * as z from 'zod/mini';
import { notifyTarget, scheduleJob, scheduleTime } from '../../contracts/schedule.ts';
import { parseAgentId, type AgentId, type TenantId } from '../../contracts/ids.ts';
import { closedLane, requestedPlace } from '../../control/request-project.ts';
import { admittedOr } from '../admission-reply.ts';
import { addJob, pauseJob, removeJob, resumeJob, type Changer } from '../../control/change-jobs.ts';
import { firingView, jobView } from '../../control/job-view.ts';
import { maxSchedulesOf } from '../../control/quota.ts';
import { firingStates, type FiringRow, type JobRow } from '../../state/schedules.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import { defineRoute, json, lastStep, operators, readers, type Call, type Reply, type Route } from '../route.ts';
import { findAgent } from './find-agent.ts';
import { findWorkflow } from './workflow-routes.ts';
import { count, defaultPage, name, namedPage, nextCursor, notNext, pageByName, pageLimit, pageOf, runId } from './shapes.ts';

const firing = z.object({
  job: name,
  slot: z.string(),
  isManual: z.boolean(),
  state: z.enum(firingStates),
  run: z.nullable(runId),
  runState: z.nullable(z.string()),
  reason: z.string(),
  interruptions: count,
});
const view = z.object({
  job: scheduleJob,
  origin: z.enum(['agent.yaml', 'cli']),
  created: z.string(),
  next: z.nullable(z.string()),
  paused: z.nullable(z.string()),
  last: z.nullable(firing),
});
const params = z.strictObject({ schedule: name });
const onePath = '/api/v1/schedules/{schedule}';

export const listSchedules: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/schedules',
  summary: 'Jobs of the tenant, when they fire next, and what became of their last slot.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject(namedPage),
  answer: z.object({ schedules: z.array(view), next: nextCursor }),
  handle: (ctx, { tenant, query }) => {
    const { page, next } = pageByName(ctx.schedules.list(tenant), query, ({ id }) => id);
    return json({ schedules: page.map((row) => jobView(ctx, row)), next });
  },
});

export const showSchedule: Route = defineRoute({
  method: 'GET',
  path: onePath,
  summary: 'One job, and what became of its slots, newest first.',
  scope: 'tenant',
  roles: readers,
  params,
  query: z.strictObject({ cursor: z.optional(z.string().check(z.regex(/^\d{1,15}-[01]$/, notNext))), limit: pageLimit }),
  answer: z.object({ schedule: view, history: z.array(firing), next: nextCursor }),
  handle: (ctx, call) => {
    const row = find(ctx, call);
    const { cursor, limit = defaultPage } = call.query;
    const before = cursor === undefined ? {} : { before: positionOf(cursor) };
    const firings = ctx.schedules.history({ tenant: row.tenant, job: row.id, limit: limit + 1, ...before });
    const { page, next } = pageOf(firings, limit, ({ slotMs, isManual }) => `${slotMs}-${Number(isManual)}`);
    return json({ schedule: jobView(ctx, row), history: page.map(firingView), next });
  },
});

function positionOf(cursor: string): Pick<FiringRow, 'slotMs' | 'isManual'> {
  const [slotMs, isManual] = cursor.split('-').map(Number);
  return { slotMs: slotMs ?? 0, isManual: isManual === 1 };
}

export const addSchedule: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/schedules',
  summary: 'Add a job: an agent or a workflow, what it is told, and when.',
  scope: 'tenant',
  roles: operators,
  status: 201,
  example: { id: 'nightly', agent: 'main', message: 'Tidy up.', when: { cron: '0 2 * * *', timezone: 'Europe/Berlin' } },
  body: z.strictObject({
    id: name,
    /** Either this, or `workflow`. */
    agent: z.optional(name),
    /** Starts this workflow instead; the message is its input. */
    workflow: z.optional(name),
    message: z.string().check(z.minLength(1), z.maxLength(64 * 1024)),
    when: scheduleTime,
    mode: z.optional(z.enum(['isolated', 'main'])),
    missed: z.optional(z.enum(['skip', 'once', 'all'])),
    interrupted: z.optional(z.enum(['skip', 'resume'])),
    jitterSeconds: z.optional(z.int().check(z.nonnegative(), z.maximum(3600))),
    notify: z.optional(notifyTarget),
    project: z.optional(name),
    lane: z.optional(name),
  }),
  answer: z.object({ schedule: view }),
  handle: async (ctx, call) => {
    const { principal, tenant, body } = call;
    const agent = await starterOf(ctx, call, body);
    const { notify } = body;
    await checkPlace(ctx, tenant, body);
    if (notify !== undefined && 'url' in notify) await ctx.checkNotifyUrl(tenant, agent, notify.url);
    const job = scheduleJob.parse({ ...body, agent, tenant, mode: body.mode ?? 'isolated', notify: notify ?? null });
    const row = await addJob({ ...ctx, maxSchedules: maxSchedulesOf(ctx.tenants) }, changer(principal), { job });
    return json({ schedule: jobView(ctx, row) }, { headers: { location: `/api/v1/schedules/${row.id}` } });
  },
});

export const pauseSchedule: Route = defineRoute({
  method: 'POST',
  path: `${onePath}/pause`,
  summary: 'Fire no slot of a job until it is resumed.',
  scope: 'tenant',
  roles: operators,
  params,
  body: z.strictObject({ reason: z.optional(z.string().check(z.minLength(1), z.maxLength(500))) }),
  answer: z.object({ schedule: view }),
  handle: async (ctx, call) => {
    const { tenant, id } = find(ctx, call);
    await pauseJob(ctx, changer(call.principal), { tenant, id, reason: call.body.reason ?? `paused by ${call.principal.id}` });
    return viewReply(ctx, call);
  },
});

export const resumeSchedule: Route = defineRoute({
  method: 'POST',
  path: `${onePath}/resume`,
  summary: 'Fire again; slots that passed meanwhile are not made up for.',
  scope: 'tenant',
  roles: operators,
  params,
  answer: z.object({ schedule: view }),
  handle: async (ctx, call) => {
    const { tenant, id } = find(ctx, call);
    await resumeJob(ctx, changer(call.principal), { tenant, id });
    return viewReply(ctx, call);
  },
});

export const runSchedule: Route = defineRoute({
  method: 'POST',
  path: `${onePath}/run`,
  summary: 'Start a job now, through the same door as its slots.',
  scope: 'tenant',
  roles: operators,
  status: 202,
  params,
  answer: z.object({ firing }),
  handle: (ctx, call) => {
    const row = find(ctx, call);
    return lastStep(() => ({ firing: firingView(ctx.schedules.startManual(row, call.nowMs)) }));
  },
});

export const removeSchedule: Route = defineRoute({
  method: 'DELETE',
  path: onePath,
  summary: 'Remove a job. What it did stays in its history.',
  scope: 'tenant',
  roles: operators,
  params,
  answer: z.object({ removed: name }),
  handle: async (ctx, call) => {
    const { tenant, id } = find(ctx, call);
    await removeJob(ctx, changer(call.principal), { tenant, id });
    return json({ removed: id });
  },
});

/** The agent that begins. @throws RequestRefusedError when it could not. */
async function starterOf(
  ctx: GatewayContext,
  call: Pick<Call, 'principal' | 'tenant'>,
  {
    agent,
    workflow,
    project,
  }: { readonly agent?: string | undefined; readonly workflow?: string | undefined; readonly project?: string | undefined },
): Promise<AgentId> {
  if ((agent === undefined) === (workflow === undefined) || (workflow !== undefined && project !== undefined)) {
    const code = 'gateway.bad-schedule';
    throw new RequestRefusedError(
      400,
      code,
      'A job starts an agent or a workflow, and only an agent works for a project. Name one of the two.',
    );
  }
  if (workflow !== undefined) {
    const { steps } = await findWorkflow(ctx, call, workflow);
    for (const step of steps) {
      await findAgent(ctx, call, step.agent);
      await checkPlace(ctx, call.tenant, step);
    }
    return parseAgentId(steps[0]?.agent ?? '');
  }
  return (await findAgent(ctx, call, agent ?? '')).agent;
}

/** What would be refused at each slot is refused now. @throws RequestRefusedError */
async function checkPlace(
  ctx: GatewayContext,
  tenant: TenantId,
  named: { readonly project?: string | undefined; readonly lane?: string | undefined },
): Promise<void> {
  const { project, lane } = named;
  const place = await requestedPlace(ctx, tenant, {
    ...(project === undefined ? {} : { project }),
    ...(lane === undefined ? {} : { lane }),
  });
  if (place === undefined) return;
  const refusal = 'outcome' in place ? place : closedLane(place);
  if (refusal !== undefined) admittedOr(refusal);
}

type JobCall = Pick<Call<{ readonly schedule: string }>, 'params' | 'tenant'>;

function find(ctx: GatewayContext, { tenant, params: { schedule } }: JobCall): JobRow {
  const row = ctx.schedules.get(tenant, schedule);
  if (row === undefined) throw unknownThing('schedule', schedule);
  return row;
}

function viewReply(ctx: GatewayContext, call: JobCall): Reply {
  return json({ schedule: jobView(ctx, find(ctx, call)) });
}

function changer({ kind, id }: Changer): Changer {
  return { kind, id };
}
