import type { RunRequest, TaskPayload } from '../contracts/admission.ts';
import { newRunId, newSessionId } from '../contracts/ids.ts';
import { hashJson, type Sha256 } from '../contracts/json.ts';
import type { Principal } from '../contracts/principal.ts';
import type { RunItem } from '../contracts/run.ts';
import { defaultAgentType, shardOf, taskIdOf, type TaskMessage } from '../contracts/task.ts';
import { workspaceOf, type ProjectPlace } from './request-project.ts';
import type { PutTask } from '../state/queue.ts';

export interface ItemParts {
  readonly principal: Principal;
  readonly nowMs: number;
  readonly usdLeft: number;
  /** Where the request's project lies. */
  readonly place: ProjectPlace | undefined;
}

/** What a worker gets. */
export function itemOf(request: RunRequest, { principal, nowMs, usdLeft, place }: ItemParts): RunItem {
  return {
    kind: 'agent',
    runId: newRunId(nowMs),
    sessionId: request.session ?? newSessionId(nowMs),
    tenant: principal.tenant,
    agent: request.agent,
    door: request.door,
    principal: { kind: principal.kind, id: principal.id },
    input: request.input,
    ...(request.untrusted === undefined ? {} : { untrusted: request.untrusted }),
    ...(request.model === undefined ? {} : { model: request.model }),
    ...(place === undefined ? {} : { project: place.project.id, lane: place.lane.lane, workspace: workspaceOf(place.project) }),
    // The lowest wins: a run gets at most what is left of the day.
    limits: { ...request.limits, usd: Math.min(request.limits?.usd ?? Infinity, usdLeft) },
  };
}

/** Its queue message, with the run's own letters in the task's id. */
export function taskOf(
  payload: Extract<TaskPayload, { kind: 'start' }>,
  { request, key, maxDeliveries }: { readonly request: RunRequest; readonly key: string; readonly maxDeliveries: number | undefined },
): PutTask {
  const { item } = payload;
  return {
    message: {
      tenant_id: item.tenant,
      swarm_id: item.runId,
      agent_type: defaultAgentType,
      shard_id: shardOf(item.sessionId, 1),
      task_id: taskIdOf(item.runId),
      payload: payload as unknown as TaskMessage['payload'],
      idempotency_key: key === '' ? item.runId : key,
      ...(request.traceparent === undefined ? {} : { traceparent: request.traceparent }),
    },
    ...(request.priority === undefined ? {} : { priority: request.priority }),
    ...(request.notBeforeMs === undefined ? {} : { notBeforeMs: request.notBeforeMs }),
    ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
  };
}

/** What was asked for, whatever the run became: session and model are part of it, priority and time are not. */
export function hashOf({ agent, input, untrusted, session, model, limits, project, lane }: RunRequest): Sha256 {
  const place = project === undefined ? {} : { project, lane: lane ?? null };
  const more = { ...(untrusted === undefined ? {} : { untrusted }), ...place };
  return hashJson({ agent, input, ...more, session: session ?? null, model: model ?? null, limits: limits ?? null });
}
