import type { Admission, RunRequest } from '../contracts/admission.ts';
import { monotonicMs, type Clock } from '../contracts/clock.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { Principal } from '../contracts/principal.ts';
import { readPayload } from '../contracts/read-payload.ts';
import { taskIdOf } from '../contracts/task.ts';
import { traceIdOf } from '../contracts/trace.ts';
import type { PutOutcome, PutTask, Queue, TaskFacts } from '../state/queue.ts';
import { acceptedRow, type RunRow, type Runs } from '../state/runs.ts';
import type { Sessions } from '../state/sessions.ts';
import type { Tenant, Tenants } from '../state/tenants.ts';
import type { Arrivals } from './arrivals.ts';
import { exceededQuota, hasCountQuota, overQuotaSentence, usdUse, type QuotaContext } from './quota.ts';
import { refused, refusedByError, type Refused } from './refusal.ts';
import { refusedModel, type RequestModelContext } from './request-model.ts';
import { exceededRate, hasRate, requestedPlace, type ProjectPlace, type RequestProjectContext } from './request-project.ts';
import { hashOf, itemOf, taskOf } from './run-task.ts';
import type { Turns } from './turns.ts';

/** The part of an installation that admission needs. */
export interface AdmitContext extends QuotaContext, RequestModelContext, RequestProjectContext {
  readonly clock: Clock;
  readonly metrics?: Metrics;
  readonly tenants: Pick<Tenants, 'get'>;
  readonly queue: Pick<Queue, 'counts' | 'find' | 'get' | 'put'>;
  readonly turns: Turns;
  /** Opened for that tenant alone. */
  readonly stores: (tenant: TenantId) => {
    readonly runs: Pick<Runs, 'accept' | 'countInLane' | 'get' | 'inGroup'>;
    readonly sessions: Pick<Sessions, 'get'>;
  };
  /** Hides secrets: what a request says is stored from here on. */
  readonly redact: (tenant: TenantId, text: string) => Promise<string>;
  /**
   * In this repo of a project, or in its own workspace: loads the agent and compiles the policy of platform, tenant and agent.
   * @throws FixRequestError when a run would.
   */
  readonly prepare: (asked: PrepareAsked) => Promise<{ readonly policy: Sha256 }>;
  /** After so many deliveries a task is dead. */
  readonly maxDeliveries?: number;
  /** Told of each run before it is on the queue. */
  readonly arrivals?: Pick<Arrivals, 'add'>;
}

export interface PrepareAsked {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly workspace?: string | undefined;
  /** Since when the run is wanted: what was looked at after that is not looked at again. */
  readonly sinceMs: number;
}

/**
 * The one entry to the queue: every door puts work through it, and nothing else puts a run.
 *
 * Contract:
 * - an admitted run is on the queue, durable, when this resolves; a refused one left nothing behind;
 * - one idempotency key of a tenant gives one run, however often and from however many processes, also when the tenant
 *   is over its quota by now; the same key with another request is refused;
 * - the tenant is the principal's and comes from nowhere else;
 * - a run works in its agent's workspace, or in the repo of a project and lane that are listed for the tenant;
 * - a request chooses among the models that a human wrote down, and its money bounds what they cost;
 * - a refusal is a value with a stable code; over quota it names the quota, its limit and its use.
 * @throws RetryableError when the surroundings fail: then nothing was put, or the same key finds what was.
 */
export async function admit(ctx: AdmitContext, principal: Principal, request: RunRequest): Promise<Admission> {
  const admission = await decideAndPut(ctx, principal, request);
  const { outcome } = admission;
  ctx.metrics?.count('admissions_total', { tenant: principal.tenant, outcome, code: outcome === 'refused' ? admission.code : '' });
  return admission;
}

async function decideAndPut(ctx: AdmitContext, principal: Principal, given: RunRequest): Promise<Admission> {
  const sinceMs = monotonicMs();
  if (!starters.some((role) => principal.roles.includes(role)))
    return refused(
      'control.role-not-allowed',
      `${principal.id} may not start runs: none of its roles (${principal.roles.join(', ')}) allows it.`,
    );
  const key = keyOf(given);
  if (key === undefined) return refused('control.bad-key', 'An idempotency key has 1 to 200 visible characters. Send another one.');
  const request = await redacted(ctx, principal.tenant, given);
  const known = key === '' ? undefined : await ctx.queue.find(principal.tenant, key);
  if (known !== undefined) return answerKnown(known, request);
  const tenant = activeTenant(ctx, principal.tenant);
  if ('outcome' in tenant) return tenant;
  const place = await requestedPlace(ctx, tenant.id, request);
  if (place !== undefined && 'outcome' in place) return place;
  const prepared = await prepare(ctx, request, { tenant: tenant.id, workspace: place?.project.dir, sinceMs });
  if ('outcome' in prepared) return prepared;
  const model = await refusedModel(ctx, tenant.id, request);
  if (model !== undefined) return model;
  const put = async (): Promise<Admission> =>
    await putRun(ctx, { principal, request, tenant, key, policy: prepared.policy, place, sinceMs });
  const isCounted = hasCountQuota(tenant) || (place !== undefined && hasRate(place));
  return isCounted ? await ctx.turns.inTurn(tenant.id, put) : await put();
}

async function redacted(ctx: Pick<AdmitContext, 'redact'>, tenant: TenantId, request: RunRequest): Promise<RunRequest> {
  const input = await ctx.redact(tenant, request.input);
  if (request.untrusted === undefined) return { ...request, input };
  const hidden = request.untrusted.map(async ({ source, text }) => ({ source, text: await ctx.redact(tenant, text) }));
  return { ...request, input, untrusted: await Promise.all(hidden) };
}

const starters = ['admin', 'operator', 'submitter'] as const;

/** Empty: a key of its own. Undefined: none that can be stored. */
function keyOf({ door, idempotencyKey }: RunRequest): string | undefined {
  if (idempotencyKey === undefined) return '';
  return /^[\x21-\x7e]{1,200}$/.test(idempotencyKey) ? `${door}:${idempotencyKey}` : undefined;
}

export function activeTenant(ctx: Pick<AdmitContext, 'tenants' | 'log'>, id: TenantId): Tenant | Refused {
  let tenant: Tenant | undefined;
  try {
    tenant = ctx.tenants.get(id);
  } catch (error) {
    return refusedByError(ctx.log, error, {
      code: 'control.tenant-invalid',
      message: `Tenant ${id} starts nothing, because its configuration is not valid. Its operator must correct it.`,
      fields: { tenant_id: id },
    });
  }
  if (tenant === undefined) return refused('control.unknown-tenant', `There is no tenant ${id} any more. Use another token.`);
  return tenant.isActive
    ? tenant
    : refused('control.tenant-suspended', `Tenant ${id} is suspended, so it starts nothing. Ask who runs this installation.`);
}

async function prepare(
  ctx: AdmitContext,
  { agent, session }: RunRequest,
  asked: Omit<PrepareAsked, 'agent'>,
): Promise<{ readonly policy: Sha256 } | Refused> {
  const { tenant } = asked;
  const known = session === undefined ? undefined : ctx.stores(tenant).sessions.get(session);
  if (session !== undefined && known?.agent !== agent)
    return refused('control.unknown-session', `Agent ${agent} has no session ${session}. Leave it out to begin a new one.`);
  try {
    return await ctx.prepare({ ...asked, agent });
  } catch (error) {
    const isUnknown = (error as { code?: unknown }).code === 'worker.unknown-agent';
    return refusedByError(ctx.log, error, {
      code: isUnknown ? 'control.unknown-agent' : 'control.agent-invalid',
      message: isUnknown
        ? `There is no agent ${agent} in tenant ${tenant}. List the agents, and name one of them.`
        : `Agent ${agent} cannot start, because its configuration or a policy is not valid. "clawhold agents validate ${agent}" tells its operator why.`,
      fields: { tenant_id: tenant },
    });
  }
}

interface PutRun {
  readonly principal: Principal;
  readonly request: RunRequest;
  readonly tenant: Tenant;
  readonly key: string;
  readonly policy: Sha256;
  readonly place: ProjectPlace | undefined;
  readonly sinceMs: number;
}

async function putRun(ctx: AdmitContext, parts: PutRun): Promise<Admission> {
  const { principal, request, tenant, key, policy, place } = parts;
  const nowMs = ctx.clock.now();
  const spent = usdUse(ctx, tenant);
  const quota = await exceededQuota(ctx, tenant, { spent, isLater: (request.notBeforeMs ?? 0) > nowMs });
  if (quota !== undefined)
    return (await knownRun(ctx, parts)) ?? { ...refused('control.over-quota', overQuotaSentence(tenant.id, quota)), quota };
  const { runs } = ctx.stores(tenant.id);
  const rate = place === undefined ? undefined : exceededRate({ clock: ctx.clock, runs }, tenant.id, place);
  if (rate !== undefined) return (await knownRun(ctx, parts)) ?? rate;
  const item = itemOf(request, { principal, nowMs, usdLeft: spent.limit - spent.used, place });
  const later = request.notBeforeMs === undefined ? {} : { notBeforeMs: request.notBeforeMs };
  const payload = { kind: 'start', item, request: hashOf(request), policy, ...later } as const;
  ctx.arrivals?.add(item.runId, parts.sinceMs);
  const outcome = await putTask(ctx, taskOf(payload, { request, key, maxDeliveries: ctx.maxDeliveries }));
  if (outcome === undefined) return tooLarge();
  if (!outcome.isNew) {
    const first = await ctx.queue.get(tenant.id, outcome.taskId);
    if (first !== undefined) return answerKnown(first, request);
  }
  await acceptRow(ctx, runs, acceptedRow(item, nowMs));
  const names = { tenant_id: tenant.id, run_id: item.runId, swarm_id: item.runId, task_id: taskIdOf(item.runId), principal: principal.id };
  ctx.log.info('run admitted', { ...names, trace_id: traceIdOf(request.traceparent) });
  return { outcome: 'admitted', run: item.runId, session: item.sessionId, isNew: true };
}

/** Undefined when it is larger than the queue takes. */
async function putTask(ctx: Pick<AdmitContext, 'queue'>, task: PutTask): Promise<PutOutcome | undefined> {
  try {
    return (await ctx.queue.put([task]))[0];
  } catch (error) {
    if ((error as { readonly code?: unknown }).code === 'state.task-too-large') return undefined;
    throw error;
  }
}

function tooLarge(): Refused {
  return refused(
    'control.input-too-large',
    'The input, with what comes along with it, is longer than the 1 MiB that a run may be asked for with. Shorten it, or put it into a file that the agent may read.',
  );
}

/** The place may have been taken by the same key a moment ago. */
async function knownRun(ctx: AdmitContext, { tenant, request, key }: PutRun): Promise<Admission | undefined> {
  const first = key === '' ? undefined : await ctx.queue.find(tenant.id, key);
  return first === undefined ? undefined : answerKnown(first, request);
}

/** The queue holds the run: a worker that finds no row of it or of its session makes them, so a failing list of runs refuses nothing. */
async function acceptRow(ctx: AdmitContext, runs: Pick<Runs, 'accept' | 'inGroup'>, row: RunRow): Promise<void> {
  try {
    await runs.inGroup(() => runs.accept(row));
  } catch (error) {
    ctx.log.warn('an admitted run is not listed yet', { tenant_id: row.tenant, run_id: row.id, reason: String(error) });
  }
}

function answerKnown({ message }: TaskFacts, request: RunRequest): Admission {
  const payload = readPayload(message);
  if (payload.kind !== 'start' || payload.request !== hashOf(request))
    return refused(
      'control.key-reused',
      'This idempotency key was used for another request, and one key stands for one run. Send a new key.',
    );
  const { runId: run, sessionId: session } = payload.item;
  return { outcome: 'admitted', run, session, isNew: false };
}
