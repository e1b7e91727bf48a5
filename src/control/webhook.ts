import { timingSafeEqual } from 'node:crypto';
import { isUtf8 } from 'node:buffer';
import type { Admission, RunRequest } from '../contracts/admission.ts';
import type { Clock } from '../contracts/clock.ts';
import { reasonOf } from '../contracts/errors.ts';
import { parseAgentId, parseTenantId, type SessionId, type TenantId } from '../contracts/ids.ts';
import { sha256 } from '../contracts/json.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { Principal } from '../contracts/principal.ts';
import type { ServeConfig } from '../contracts/serve-config.ts';
import type { WebhookCalls } from '../state/webhook-calls.ts';
import { signatureOf } from './notify.ts';
import type { WorkflowStart } from './workflows.ts';
import { isAddressIn } from './webhook/address-list.ts';

export { addressListFault } from './webhook/address-list.ts';

export type WebhookTriggers = NonNullable<ServeConfig['webhooks']>['triggers'];

export interface WebhookContext {
  /** As the configuration is now; undefined: there are none, and every call is refused. */
  readonly triggers: () => WebhookTriggers | undefined;
  readonly calls: WebhookCalls;
  readonly clock: Clock;
  readonly log: Log;
  readonly metrics?: Metrics;
  readonly ledger: (tenant: TenantId) => Promise<LedgerWriter>;
  readonly admit: (principal: Principal, request: RunRequest) => Promise<Admission>;
  readonly secret: (tenant: TenantId, name: string) => Promise<string | undefined>;
  /** Begins a workflow and gives the passage's id. */
  readonly workflow?: (start: WorkflowStart) => Promise<string>;
  /** Of this process. */
  readonly refusals: RefusalCount;
}

/** So that who floods a door does not fill the ledger: one record a second, with how many there were. */
export interface RefusalCount {
  lastMs: number;
  unrecorded: number;
}

export interface WebhookCall {
  readonly name: string;
  /** Names in lower case; one that came twice is a list. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
  readonly body: Uint8Array;
  /** Of the connection itself, never of a header. */
  readonly ip: string;
}

export type WebhookAnswer =
  /** `run` is a run's id, or that of a passage through a workflow, which has no session of its own. */
  | { readonly outcome: 'accepted'; readonly run: string; readonly session?: SessionId }
  /** Whatever was wrong: the caller learns nothing, not even whether there is such a webhook. */
  | { readonly outcome: 'refused' }
  /** The call was right, and the tenant may start nothing more now: send a new one later. */
  | { readonly outcome: 'busy' };

export function newRefusalCount(): RefusalCount {
  return { lastMs: -Infinity, unrecorded: 0 };
}

const maxAgeMs = 5 * 60_000;
const forgetMs = 24 * 60 * 60_000;
const maxBody = 256 * 1024;
const defaultPerMinute = 10;
const defaultFrom = ['127.0.0.0/8', '::1/128'];

/**
 * Starts an agent because a signed request came in.
 *
 * Contract: it starts one only when the address is on the trigger's list, the signature over time and body is right, the
 * time is within five minutes, this signature was never seen, and the trigger is within its rate. The body never becomes
 * an instruction: it is handed on as untrusted data beside the message of the configuration.
 */
export async function fireWebhook(ctx: WebhookContext, call: WebhookCall): Promise<WebhookAnswer> {
  const answer = await checkAndStart(ctx, call);
  ctx.metrics?.count('webhooks_total', { outcome: answer.outcome });
  return answer;
}

async function checkAndStart(ctx: WebhookContext, call: WebhookCall): Promise<WebhookAnswer> {
  const checked = await check(ctx, call);
  if ('fault' in checked) return await refuse(ctx, call, checked);
  const { tenant, trigger, signature } = checked;
  const id = sha256(signature);
  const nowMs = ctx.clock.now();
  ctx.calls.forget(call.name, nowMs - forgetMs);
  const taken = ctx.calls.take({ hook: call.name, call: id, nowMs, perMinute: trigger.perMinute ?? defaultPerMinute });
  if (taken.outcome === 'too-many') return await refuse(ctx, call, { fault: 'more calls a minute than its limit', tenant });
  if (taken.outcome === 'known' && taken.run !== undefined) return await refuse(ctx, call, { fault: 'the call was made before', tenant });
  return await start(ctx, call, { tenant, trigger, id });
}

interface Fault {
  readonly fault: string;
  readonly tenant?: TenantId;
}

interface Checked {
  readonly tenant: TenantId;
  readonly trigger: WebhookTriggers[string];
  readonly signature: string;
}

async function check(ctx: WebhookContext, { name, headers, body, ip }: WebhookCall): Promise<Checked | Fault> {
  const triggers = ctx.triggers() ?? {};
  const trigger = Object.hasOwn(triggers, name) ? triggers[name] : undefined;
  const tenant = parseTenantId(trigger?.tenant ?? 'default');
  const key = trigger === undefined ? undefined : await ctx.secret(tenant, trigger.secret);
  const timestamp = headers['x-clawhold-timestamp'];
  const signature = headers['x-clawhold-signature'];
  // Also for a webhook that is not there: how long the answer takes tells nobody that.
  const expected = Buffer.from(signatureOf(key ?? 'no key', typeof timestamp === 'string' ? timestamp : '', body));
  if (trigger === undefined) return { fault: 'there is no such webhook' };
  if (!isAddressIn(trigger.from ?? defaultFrom, ip)) return { fault: 'the address is not on its list', tenant };
  if (key === undefined || key === '') return { fault: `there is no secret ${trigger.secret}`, tenant };
  if (typeof timestamp !== 'string' || !/^[0-9]{1,12}$/.test(timestamp)) return { fault: 'it has no time', tenant };
  if (typeof signature !== 'string') return { fault: 'it has no signature', tenant };
  const given = Buffer.from(signature);
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) return { fault: 'the signature is wrong', tenant };
  if (Math.abs(ctx.clock.now() - Number(timestamp) * 1000) > maxAgeMs) return { fault: 'its time is more than five minutes off', tenant };
  if (body.length > maxBody) return { fault: `its body has more than ${maxBody} bytes`, tenant };
  if (!isUtf8(body)) return { fault: 'its body is not UTF-8 text', tenant };
  return { tenant, trigger, signature };
}

async function refuse(ctx: WebhookContext, { name, ip }: WebhookCall, { fault, tenant }: Fault): Promise<WebhookAnswer> {
  const hook = name.slice(0, 63);
  const address = ip.slice(0, 45);
  const nowMs = ctx.clock.now();
  if (Math.abs(nowMs - ctx.refusals.lastMs) < 1000) {
    ctx.refusals.unrecorded += 1;
    return { outcome: 'refused' };
  }
  const { unrecorded } = ctx.refusals;
  Object.assign(ctx.refusals, { lastMs: nowMs, unrecorded: 0 });
  ctx.log.warn(`a webhook was refused: ${fault}`, { hook, address, unrecorded });
  const at = new Date(nowMs).toISOString();
  const ledger = await ctx.ledger(tenant ?? parseTenantId('default'));
  await ledger.append({ type: 'webhook.refused', at, hook, address, reason: fault, unrecorded });
  return { outcome: 'refused' };
}

interface Start {
  readonly tenant: TenantId;
  readonly trigger: WebhookTriggers[string];
  /** Hash of the signature: names this call. */
  readonly id: string;
}

async function start(ctx: WebhookContext, call: WebhookCall, { tenant, trigger, id }: Start): Promise<WebhookAnswer> {
  const { name, ip } = call;
  const at = new Date(ctx.clock.now()).toISOString();
  const starts = trigger.agent ?? trigger.workflow ?? '';
  await (await ctx.ledger(tenant)).append({ type: 'webhook.accepted', at, hook: name, starts, address: ip.slice(0, 45), call: id });
  const text = Buffer.from(call.body).toString('utf8');
  const principal = { kind: 'service', id: `webhook:${name}` } as const;
  const words = {
    input: trigger.message ?? `A signed request came in through the webhook "${name}". Its body follows as data.`,
    ...(text === '' ? {} : { untrusted: [{ source: `webhook:${name}`, text }] }),
    door: 'http' as const,
  };
  const key = `webhook:${name}:${id}`;
  if (trigger.workflow !== undefined)
    return await beginWorkflow(ctx, { call, id, start: { ...words, tenant, name: trigger.workflow, principal, key } });
  const admission = await asked(ctx, {
    principal: { ...principal, tenant, roles: ['submitter'] },
    request: { agent: parseAgentId(trigger.agent ?? ''), ...words, ...placeOf(trigger), idempotencyKey: key },
  });
  if (admission === undefined || admission.outcome === 'refused') {
    ctx.log.warn(`the run of webhook ${name} was refused: ${admission?.message ?? 'it could not be asked for'}`, {
      hook: name,
      tenant_id: tenant,
    });
    return { outcome: 'busy' };
  }
  ctx.calls.admitted(name, id, admission.run);
  return { outcome: 'accepted', run: admission.run, session: admission.session };
}

function placeOf({ project, lane }: WebhookTriggers[string]): Pick<RunRequest, 'project' | 'lane'> {
  return { ...(project === undefined ? {} : { project }), ...(lane === undefined ? {} : { lane }) };
}

async function beginWorkflow(
  ctx: WebhookContext,
  { call, id, start: wanted }: { readonly call: WebhookCall; readonly id: string; readonly start: WorkflowStart },
): Promise<WebhookAnswer> {
  try {
    if (ctx.workflow === undefined) throw new Error('no workflows are wired here');
    const passage = await ctx.workflow(wanted);
    ctx.calls.admitted(call.name, id, passage);
    return { outcome: 'accepted', run: passage };
  } catch (error) {
    ctx.log.error(`the workflow of webhook ${call.name} could not be begun: ${reasonOf(error)}`, {
      tenant_id: wanted.tenant,
      hook: call.name,
    });
    return { outcome: 'busy' };
  }
}

/** A failure is no answer to a caller; the same call may be made again while its time is good. */
async function asked(
  ctx: WebhookContext,
  { principal, request }: { principal: Principal; request: RunRequest },
): Promise<Admission | undefined> {
  try {
    return await ctx.admit(principal, request);
  } catch (error) {
    ctx.log.error(`the run of ${principal.id} could not be asked for: ${reasonOf(error)}`, { tenant_id: principal.tenant });
    return undefined;
  }
}
