import * as z from 'zod/mini';
import type { Approval } from '../../contracts/approval.ts';
import type { ApprovalId, RunId, TenantId } from '../../contracts/ids.ts';
import { refusedApprover } from '../../governance/distinct-approver.ts';
import { admittedOr } from '../admission-reply.ts';
import type { GatewayContext } from '../gateway-context.ts';
import { RequestRefusedError, unknownThing } from '../request-refused-error.ts';
import { approvers, defineRoute, json, readers, type Route } from '../route.ts';
import { approvalId, defaultPage, name, nextCursor, pageLimit, pageOf, runId, timeMs } from './shapes.ts';

const approval = z.object({
  id: approvalId,
  tenant: name,
  agent: name,
  run: runId,
  callId: z.string(),
  /** What is asked for, exactly: tool, arguments, resources and labels. */
  request: z.looseObject({ tool: z.string() }),
  requestHash: z.string(),
  targetHash: z.optional(z.string()),
  preview: z.optional(z.string()),
  decision: z.looseObject({ verdict: z.string(), reason: z.string() }),
  createdMs: timeMs,
  expiresMs: timeMs,
  state: z.enum(['open', 'approved', 'denied', 'expired']),
  answeredMs: z.optional(timeMs),
  answeredBy: z.optional(z.string()),
});
const params = z.strictObject({ approval: approvalId });

export const listApprovals: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/approvals',
  summary: 'Questions that wait for a human, oldest first; with `state=all`, answered and expired ones too.',
  scope: 'tenant',
  roles: readers,
  query: z.strictObject({
    state: z.optional(z.enum(['open', 'all'])),
    run: z.optional(runId),
    cursor: z.optional(approvalId),
    limit: pageLimit,
  }),
  answer: z.object({ approvals: z.array(approval), next: nextCursor }),
  handle: (ctx, { tenant, query: { state = 'open', run, cursor, limit = defaultPage }, nowMs }) => {
    const rows = ctx.stores(tenant).approvals.list(
      {
        tenant,
        state,
        limit: limit + 1,
        ...(run === undefined ? {} : { run: run as RunId }),
        ...(cursor === undefined ? {} : { after: cursor as ApprovalId }),
      },
      nowMs,
    );
    const { page, next } = pageOf(rows, limit, (row) => row.id);
    return json({ approvals: page, next });
  },
});

export const showApproval: Route = defineRoute({
  method: 'GET',
  path: '/api/v1/approvals/{approval}',
  summary: 'One question in full, with the change that it is about.',
  scope: 'tenant',
  roles: readers,
  params,
  answer: z.object({ approval }),
  handle: (ctx, call) => json({ approval: findApproval(ctx, call.tenant, call.params.approval) }),
});

export const answerApproval: Route = defineRoute({
  method: 'POST',
  path: '/api/v1/approvals/{approval}/answer',
  summary: 'Allow or refuse this one call. The run goes on by itself; policy is asked again when the call is made.',
  scope: 'tenant',
  roles: approvers,
  params,
  body: z.strictObject({ answer: z.enum(['approved', 'denied']) }),
  answer: z.object({ approval: approvalId, state: z.enum(['approved', 'denied']), run: runId }),
  handle: async (ctx, { principal, tenant, params: { approval: id }, body, nowMs, traceparent }) => {
    const found = findApproval(ctx, tenant, id);
    const refusal = refusedApprover(found, principal, ctx.approvals?.());
    if (refusal !== undefined) {
      const code = 'gateway.same-person';
      throw new RequestRefusedError(403, code, refusal);
    }
    if (ctx.tenants.get(tenant)?.isActive !== true) {
      const code = 'gateway.tenant-suspended';
      throw new RequestRefusedError(
        403,
        code,
        `Tenant ${tenant} is suspended, so no run of it goes on and nothing was answered. Ask whoever runs this installation.`,
      );
    }
    const outcome = ctx.stores(tenant).approvals.answer(found.id, { state: body.answer, by: principal.id, nowMs });
    // The same answer again repairs what a crash left: an answered question whose run was not put on the queue.
    const isRepeated =
      outcome.outcome === 'not-open' && outcome.approval.state === body.answer && outcome.approval.answeredBy === principal.id;
    if (outcome.outcome !== 'answered' && !isRepeated) {
      const now = outcome.outcome === 'unknown' ? 'gone' : outcome.approval.state;
      const code = 'gateway.approval-closed';
      throw new RequestRefusedError(409, code, `Approval ${id} is already ${now}, and an answer is given once.`);
    }
    admittedOr(await ctx.resume(principal, { run: found.run, approval: found.id, traceparent }));
    return json({ approval: found.id, state: body.answer, run: found.run });
  },
});

function findApproval(ctx: GatewayContext, tenant: TenantId, id: string): Approval {
  const found = ctx.stores(tenant).approvals.get(id as ApprovalId, ctx.clock.now());
  if (found === undefined || found.tenant !== tenant) throw unknownThing('approval', id);
  return found;
}
