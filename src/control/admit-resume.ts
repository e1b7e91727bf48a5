import type { Admission, TaskPayload } from '../contracts/admission.ts';
import { newTaskId, type ApprovalId, type RunId, type TaskId } from '../contracts/ids.ts';
import type { Principal, Role } from '../contracts/principal.ts';
import { resumableStates } from '../contracts/run.ts';
import { defaultAgentType, shardOf, type TaskMessage } from '../contracts/task.ts';
import { traceIdOf } from '../contracts/trace.ts';
import type { RunRow } from '../state/runs.ts';
import { activeTenant, type AdmitContext } from './admit.ts';
import { refused } from './refusal.ts';

export interface ResumeRequest {
  readonly run: RunId;
  /** The answered question that it goes on after; absent: a human resumes it. */
  readonly approval?: ApprovalId;
  readonly traceparent?: string;
}

/**
 * Puts a run that waited, was stopped or was interrupted back on the queue.
 *
 * Contract: one answer gives one task, however often it is told, and so does one wish of a human to go on after one end of
 * the run; a run of another tenant is as unknown as one that
 * never was. Count quotas are not asked: the run was admitted once, and an answer must not be lost. The tenant's share
 * still bounds how many runs are worked on.
 */
export async function admitResume(ctx: AdmitContext, principal: Principal, request: ResumeRequest): Promise<Admission> {
  const allowed: readonly Role[] = request.approval === undefined ? ['admin', 'operator'] : ['admin', 'operator', 'approver'];
  if (!allowed.some((role) => principal.roles.includes(role)))
    return refused(
      'control.role-not-allowed',
      `${principal.id} may not resume runs: none of its roles (${principal.roles.join(', ')}) allows it.`,
    );
  const tenant = activeTenant(ctx, principal.tenant);
  if ('outcome' in tenant) return tenant;
  const row = ctx.stores(tenant.id).runs.get(request.run);
  if (row === undefined) return refused('control.unknown-run', `There is no run ${request.run}. List the runs, and name one of them.`);
  if (!resumableStates.has(row.state))
    return refused(
      'control.not-resumable',
      `Run ${request.run} is ${row.state}, so there is nothing left to continue. Start a new one in its session.`,
    );
  const message = messageOf(row, principal, { request, task: newTaskId(ctx.clock.now()) });
  const [outcome] = await ctx.queue.put([{ message, ...(ctx.maxDeliveries === undefined ? {} : { maxDeliveries: ctx.maxDeliveries }) }]);
  const names = { tenant_id: tenant.id, run_id: row.id, swarm_id: message.swarm_id, task_id: outcome?.taskId };
  ctx.log.info('run resumed', { ...names, principal: principal.id, trace_id: traceIdOf(request.traceparent) });
  return { outcome: 'admitted', run: row.id, session: row.session, isNew: outcome?.isNew !== false };
}

function messageOf(
  row: RunRow,
  principal: Principal,
  { request, task }: { readonly request: ResumeRequest; readonly task: TaskId },
): TaskMessage {
  const { id, session, tenant } = row;
  const payload: TaskPayload = {
    kind: 'resume',
    run: id,
    tenant,
    principal: { kind: principal.kind, id: principal.id },
    ...(request.approval === undefined ? {} : { approval: request.approval }),
  };
  return {
    tenant_id: tenant,
    swarm_id: id,
    agent_type: defaultAgentType,
    shard_id: shardOf(session, 1),
    task_id: task,
    payload,
    idempotency_key: `resume:${id}:${request.approval ?? lookOf(row)}`,
    ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
  };
}

/** What a human saw who wants the run to go on: another end of it is another wish. */
function lookOf({ state, endedMs = 0, fence = 0 }: RunRow): string {
  return `${state}:${endedMs}:${fence}`;
}
