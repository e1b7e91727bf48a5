import type { TaskPayload } from '../../contracts/admission.ts';
import { ClawholdError, reasonOf } from '../../contracts/errors.ts';
import { idTimeMs, type TaskId, type TenantId } from '../../contracts/ids.ts';
import { readPayload } from '../../contracts/read-payload.ts';
import { givenUpReason } from '../../contracts/run.ts';
import { traceIdOf } from '../../contracts/trace.ts';
import type { Lease } from '../../state/queue.ts';
import type { ExecutorContext } from '../execute-tasks.ts';
import type { ItemOutcome, WorkerContext } from '../worker-context.ts';
import { advanceRun, runOf, type LeasedWorker } from './advance-run.ts';
import { holdTask, type HeldTask } from './hold-task.ts';
import { judgeFailure, soonAgain, type Verdict } from './judge-failure.ts';
import { orGiveUp } from './or-give-up.ts';

export interface TaskContext extends ExecutorContext {
  /** Sessions at work in this process. */
  readonly sessions: Set<string>;
  readonly patienceMs: number;
  /** Whether the same was not said a moment ago: of thousands of waiting tasks one speaks for all. */
  readonly isNews: (what: string) => boolean;
  /** Gives the run back. */
  readonly signal: AbortSignal;
  /** What was thrown in this task outside of its own calls. */
  readonly crash: () => string | undefined;
  /** Called when the run is over, right before the queue is told: what takes the slot next is asked for in the same breath. */
  readonly over: () => void;
}

/** What a delivery knows of its task once it was read. */
interface Opened {
  readonly payload: TaskPayload;
  readonly worker: LeasedWorker;
  /** When the task became ready for the first time. */
  readonly readyMs: number;
}

/** Beyond the longest run that the configuration allows: then the run hangs. */
const graceMs = 60_000;

/** Works on one delivery of a task and tells the queue what became of it. Never throws: whatever fails, fails alone. */
export async function workOnTask(ctx: TaskContext, lease: Lease, takenMs: number): Promise<void> {
  const { message } = lease;
  const trace = traceIdOf(message.traceparent);
  const { tenant_id, task_id, swarm_id } = message;
  const log = ctx.log.with({ tenant_id, swarm_id, task_id, ...(trace === undefined ? {} : { trace_id: trace }) });
  const opened: { current?: Opened } = {};
  const verdict = await ctx.tracer.inSpan(
    'executor.task',
    { parent: message.traceparent, attributes: { 'clawhold.tenant': message.tenant_id, 'clawhold.task': message.task_id } },
    async ({ traceparent }) => await deliver({ ...ctx, log }, { lease, takenMs, traceparent, opened }),
  );
  try {
    await settle({ ...ctx, log }, { lease, verdict, opened: opened.current });
  } catch (error) {
    log.warn('the queue was not told what became of a task; it is delivered again', { reason: reasonOf(error) });
  }
  const seconds = (performance.now() - takenMs) / 1000;
  const outcome = { done: 'done', failed: 'done', back: 'retried', lost: 'lost' }[verdict.kind];
  ctx.metrics.count('tasks_total', { tenant: message.tenant_id, outcome });
  ctx.metrics.observe('task_duration_seconds', seconds, { tenant: message.tenant_id, outcome });
}

interface Delivery {
  readonly lease: Lease;
  readonly takenMs: number;
  readonly traceparent: string;
  readonly opened: { current?: Opened };
}

async function deliver(ctx: TaskContext, delivery: Delivery): Promise<Verdict> {
  try {
    const payload = readPayload(delivery.lease.message);
    const base = await openWorker(ctx, delivery.lease);
    if ('kind' in base) return base;
    const maxHoldMs = base.limits.seconds * 1000 + graceMs;
    using held = holdTask({ ...ctx, maxHoldMs, nowMs: () => performance.now() }, delivery.lease, delivery.takenMs);
    const worker = leasedWorker(ctx, { base, held, payload });
    const readyMs = readySince(delivery.lease, payload);
    delivery.opened.current = { payload, worker, readyMs };
    using _traced = ctx.traced?.(runOf(payload), delivery.traceparent);
    tellWait(ctx, delivery, base.clock.now() - readyMs);
    const signals = [ctx.signal, held.lease.signal];
    return await orGiveUp({ ...ctx, signals }, inSession(ctx, { payload, worker, readyMs }));
  } catch (error) {
    const cause = crashOr(ctx, error);
    const verdict = judgeFailure(cause, delivery.lease.delivery);
    // The verdict's reason is for the tenant.
    const reason = reasonOf(cause);
    if (verdict.kind === 'lost') ctx.log.warn('a lease was lost; whoever has the task now goes on', { reason });
    else if (verdict.kind === 'failed') ctx.log.warn('a run failed', { code: verdict.code, reason });
    else if (verdict.kind === 'back' && verdict.isUncounted !== true) ctx.log.error('a task is tried again', { ...codeOf(cause), reason });
    return verdict;
  }
}

/** The id says when it was put, also to a process that did not put it. */
function readySince({ message }: Lease, payload: TaskPayload): number {
  return Math.max(idTimeMs(message.task_id as TaskId), payload.kind === 'start' ? (payload.notBeforeMs ?? 0) : 0);
}

/** Of the first delivery: what is tried again waits by its own rules. */
function tellWait(ctx: TaskContext, { lease, takenMs }: Delivery, sinceReadyMs: number): void {
  if (lease.delivery > 1) return;
  const waitedMs = sinceReadyMs - (performance.now() - takenMs);
  ctx.metrics.observe('task_wait_seconds', waitedMs / 1000, { tenant: lease.message.tenant_id });
}

/** A tenant whose files are wrong, or that is suspended, keeps its tasks: they wait until a human has put it right. */
async function openWorker(ctx: TaskContext, { message }: Lease): Promise<WorkerContext | Verdict> {
  try {
    return await ctx.workerOf(message.tenant_id as TenantId);
  } catch (error) {
    const code = error instanceof ClawholdError ? error.code : 'unexpected';
    if (ctx.isNews(`${message.tenant_id} ${code}`)) ctx.log.error('a tenant cannot work', { code, reason: reasonOf(error) });
    if (code === 'state.unknown-tenant') return { kind: 'failed', code, reason: 'there is no such tenant any more' };
    return { kind: 'back', delayMs: 5000, reason: `its tenant cannot work: ${code}`, isUncounted: true };
  }
}

function codeOf(error: unknown): { readonly code?: string } {
  return error instanceof ClawholdError ? { code: error.code } : {};
}

/** A run that was stopped because something in it was thrown past all its calls counts as tried. */
function crashOr(ctx: TaskContext, error: unknown): unknown {
  const crash = ctx.crash();
  return crash === undefined ? error : new Error(crash);
}

function leasedWorker(
  ctx: TaskContext,
  { base, held, payload }: { readonly base: WorkerContext; readonly held: HeldTask; readonly payload: TaskPayload },
): LeasedWorker {
  const tenant = payload.kind === 'start' ? payload.item.tenant : payload.tenant;
  const run = { tenant, run: runOf(payload) };
  const sinceMs = payload.kind === 'start' ? ctx.arrivals?.take(run.run) : undefined;
  return { ...base, lease: held.lease, emit: (event) => ctx.publish(run, event), ...(sinceMs === undefined ? {} : { sinceMs }) };
}

/** One run of a session at a time; the next is leased again soon. */
async function inSession(ctx: TaskContext, { payload, worker, readyMs }: Opened): Promise<Verdict> {
  const session = payload.kind === 'start' ? payload.item.sessionId : worker.runs.get(payload.run)?.session;
  if (session === undefined) return { kind: 'failed', code: 'worker.unknown-run', reason: 'the run is not there any more' };
  if (ctx.sessions.has(session)) return soonAgain('its session is at work');
  ctx.sessions.add(session);
  try {
    const outcome = await advanceRun(ctx, worker, payload);
    if (outcome !== undefined) await tell(ctx, { worker, readyMs }, outcome);
    return { kind: 'done' };
  } finally {
    ctx.sessions.delete(session);
  }
}

async function tell(ctx: TaskContext, { worker, readyMs }: Pick<Opened, 'worker' | 'readyMs'>, outcome: ItemOutcome): Promise<void> {
  const row = worker.runs.get(outcome.run);
  if (row === undefined) return;
  ctx.metrics.count('runs_total', { tenant: row.tenant, state: outcome.state, door: row.door });
  ctx.metrics.observe('turn_duration_seconds', (worker.clock.now() - readyMs) / 1000, { tenant: row.tenant });
  const { run: run_id, state, code, reason, detail = reason } = outcome;
  if (state === 'failed') ctx.log.warn('a run failed', { run_id, code, reason: detail });
  ctx.log.info('run settled', { run_id, state });
  try {
    await ctx.settled(row, outcome);
  } catch (error) {
    ctx.log.error('nobody was told that a run settled', { run_id: outcome.run, reason: reasonOf(error) });
  }
}

interface Settling {
  readonly lease: Lease;
  readonly verdict: Verdict;
  readonly opened: Opened | undefined;
}

async function settle(ctx: TaskContext, { lease, verdict, opened }: Settling): Promise<void> {
  switch (verdict.kind) {
    case 'lost':
      ctx.metrics.count('leases_lost_total', { tenant: lease.message.tenant_id });
      return;
    case 'done':
      ctx.over();
      await ctx.queue.ack(lease);
      return;
    case 'failed':
      if (opened === undefined) await ctx.queue.nak(lease, { delayMs: 0, reason: verdict.reason, isDead: true });
      else {
        endRun(ctx, opened, `${verdict.reason} (${verdict.code})`);
        ctx.over();
        await ctx.queue.ack(lease);
      }
      return;
    case 'back': {
      if (opened !== undefined) giveBack(opened, verdict.reason);
      const state = await ctx.queue.nak(lease, verdict);
      if (state === 'dead' && opened !== undefined) endRun(ctx, opened, givenUpReason(lease.delivery, verdict.reason));
    }
  }
}

/** Only as long as the row says that this delivery holds it. */
function isOurs({ worker, payload }: Opened): boolean {
  const row = worker.runs.get(runOf(payload));
  return row?.state === 'running' && row.task === worker.lease.task && row.taskFence === worker.lease.fence;
}

/** Nobody works on it until the next delivery. */
function giveBack(opened: Opened, reason: string): void {
  if (isOurs(opened)) opened.worker.runs.update(runOf(opened.payload), { state: 'accepted', reason, owner: null });
}

/** It could not begin or go on: its row says why. */
function endRun({ metrics }: TaskContext, opened: Opened, reason: string): void {
  const { worker, payload } = opened;
  const row = worker.runs.get(runOf(payload));
  if (row === undefined || !(row.state === 'accepted' || isOurs(opened))) return;
  metrics.count('runs_total', { tenant: row.tenant, state: 'failed', door: row.door });
  worker.runs.update(row.id, {
    state: 'failed',
    reason: worker.redactor.text(reason),
    endedMs: worker.clock.now(),
    owner: null,
  });
}
