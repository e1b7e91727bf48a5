import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import type { Admission } from '../../contracts/admission.ts';
import type { Claim, FiringRow, JobRow } from '../../state/schedules.ts';
import { timingOf } from '../change-jobs.ts';
import { planFirings, type FiringPlan } from '../plan-firings.ts';
import { refusedByError } from '../refusal.ts';
import type { SchedulerContext } from '../scheduler.ts';
import { startWorkflow } from '../workflows.ts';

/** Somebody else may be asking for its run just now; after so long nobody is. */
const abandonedMs = 5_000;
/** So many slots of a job of mode `main` wait for the run before them. */
const maxWaiting = 100;

/** So many jobs of a tenant fire in one round: the rest of a crowd comes in the next, after everybody else's. */
const maxInRound = 50;

/** Takes the due slots of every job, and asks for their runs. One job's trouble is no other's, nor one tenant's. */
export async function fireDue(ctx: SchedulerContext, nowMs: number): Promise<void> {
  const tenants = Map.groupBy(ctx.schedules.due(nowMs), ({ tenant }) => tenant);
  for (const row of [...tenants.values()].flatMap((rows) => rows.slice(0, maxInRound))) {
    await told(ctx, row, async () => {
      const plan = planFirings(timingOf(row), nowMs);
      const claimed = ctx.schedules.claim(row, isHeldUp(ctx, row) ? withoutRuns(plan, nowMs) : claimOf(plan, nowMs));
      if (claimed.isMissed) tally(ctx, row, 'skipped');
      for (const firing of claimed.started) await askForRun(ctx, row, firing);
    });
  }
}

/** Asks for runs that were started and not asked for: by hand, behind another run, or before a crash. */
export async function admitWaiting(
  ctx: SchedulerContext,
  { nowMs, isFirst }: { readonly nowMs: number; readonly isFirst: boolean },
): Promise<void> {
  for (const firing of ctx.schedules.unadmitted()) {
    if (!isFirst && !firing.isManual && Math.abs(nowMs - firing.startedMs) < abandonedMs) continue;
    const row = ctx.schedules.get(firing.tenant, firing.job);
    if (row === undefined) refuse(ctx, firing, 'the job was removed before its run began');
    else await told(ctx, row, async () => await askForRun(ctx, row, firing));
  }
}

function claimOf({ run, merged, missed, hasMore, next }: FiringPlan, nowMs: number): Claim {
  const newest = missed.at(-1);
  const count = `${hasMore ? 'more than ' : ''}${missed.length} ${missed.length === 1 ? 'slot' : 'slots'}`;
  return {
    run,
    merged,
    ...(newest === undefined ? {} : { missed: { slotMs: newest, reason: `${count} passed while nothing could run them` } }),
    ...(next === undefined ? {} : { next }),
    nowMs,
  };
}

function withoutRuns({ run, merged, missed, next }: FiringPlan, nowMs: number): Claim {
  const newest = [...merged, ...missed, ...run].toSorted((a, b) => a - b).at(-1);
  return {
    run: [],
    merged: [],
    ...(newest === undefined ? {} : { missed: { slotMs: newest, reason: 'the run before it was still at work in the same session' } }),
    ...(next === undefined ? {} : { next }),
    nowMs,
  };
}

/** One session holds one run at a time. With `missed: all` slots wait for it, else they are missed. */
function isHeldUp(ctx: SchedulerContext, row: JobRow): boolean {
  if (row.job.mode !== 'main') return false;
  const waiting = ctx.schedules.unadmitted(row).length;
  return row.job.missed === 'all' ? waiting >= maxWaiting : waiting > 0 || isAtWork(ctx, row);
}

function isAtWork(ctx: SchedulerContext, row: JobRow): boolean {
  const active: ReadonlySet<string> = new Set(['accepted', 'running']);
  return ctx.schedules
    .open(row)
    .some((firing) => active.has(firing.run === undefined ? '' : (ctx.runs.get(firing.run)?.state ?? 'accepted')));
}

function mustWait(ctx: SchedulerContext, row: JobRow, firing: FiringRow): boolean {
  if (row.job.mode !== 'main') return false;
  const isBehind = ctx.schedules
    .unadmitted(row)
    .some((other) => other.slotMs < firing.slotMs || (other.slotMs === firing.slotMs && !other.isManual && firing.isManual));
  return isBehind || isAtWork(ctx, row);
}

/**
 * The slot is in the database as started; its run has a key of job and slot, so that asking twice gives one run. The
 * principal and the message are the same for a manual start.
 */
async function askForRun(ctx: SchedulerContext, row: JobRow, firing: FiringRow): Promise<void> {
  if (mustWait(ctx, row, firing)) return;
  const slot = new Date(firing.slotMs).toISOString();
  const { tenant, agent, id, job } = row;
  const at = new Date(ctx.clock.now()).toISOString();
  if (firing.request === undefined)
    await (await ctx.ledger(tenant)).append({ type: 'schedule.fired', at, job: id, agent, slot, isManual: firing.isManual });
  const session = job.mode === 'main' ? ctx.lastSession(tenant, agent) : undefined;
  const place = { ...(job.project === undefined ? {} : { project: job.project }), ...(job.lane === undefined ? {} : { lane: job.lane }) };
  const request = firing.request ?? { input: job.message, ...(session === undefined ? {} : { session }), ...place };
  if (firing.request === undefined) ctx.schedules.noteRequest(firing, request);
  if (job.workflow !== undefined) {
    await beginWorkflow(ctx, firing, { name: job.workflow, input: request.input });
    return;
  }
  const admission = await admitted(ctx, row, { agent: firing.agent, ...request, door: 'cron', idempotencyKey: keyOf(firing) });
  const names = { tenant_id: tenant, job: id };
  if (admission.outcome === 'admitted') {
    ctx.schedules.update(firing, { run: admission.run });
    // Another process may have asked for it at the same moment.
    if (admission.isNew) tally(ctx, firing, 'fired');
    ctx.log.info(`job ${id} fired for ${slot}`, { ...names, run_id: admission.run });
    return;
  }
  refuse(ctx, firing, `${admission.code}: ${admission.message}`);
  ctx.log.warn(`job ${id} was refused for ${slot}: ${admission.message}`, { ...names, code: admission.code });
}

/** Of the run, or of the passage through a workflow: asking twice gives one. */
export function keyOf({ job, slotMs, isManual }: FiringRow): string {
  return `cron:${job}:${isManual ? 'manual:' : ''}${slotMs}`;
}

/** The passage asks for its runs itself; this firing shows the one that is at work, once there is one. */
async function beginWorkflow(
  ctx: SchedulerContext,
  firing: FiringRow,
  { name, input }: { readonly name: string; readonly input: string },
): Promise<void> {
  const { workflows } = ctx;
  if (workflows === undefined) return;
  const principal = { kind: 'service', id: `schedule:${firing.job}` } as const;
  try {
    const start = { tenant: firing.tenant, name, principal, door: 'cron', input, key: keyOf(firing) } as const;
    const { run, done, state, reason } = await startWorkflow({ ...ctx, workflows }, start);
    const shown = run ?? done.at(-1);
    if (shown === undefined) {
      if (state === 'failed') refuse(ctx, firing, reason);
      return;
    }
    ctx.schedules.update(firing, { run: shown });
    tally(ctx, firing, 'fired');
  } catch (error) {
    if (!(error instanceof FixRequestError)) throw error;
    const { code, publicMessage } = error;
    ctx.log.warn('the workflow of a job was refused', { tenant_id: firing.tenant, job: firing.job, code, reason: reasonOf(error) });
    refuse(ctx, firing, `${code}: ${publicMessage}`);
  }
}

function refuse(ctx: SchedulerContext, firing: FiringRow, reason: string): void {
  ctx.schedules.update(firing, { state: 'refused', reason, endedMs: ctx.clock.now() });
  tally(ctx, firing, 'failed');
}

function tally({ metrics }: SchedulerContext, { tenant }: Pick<FiringRow, 'tenant'>, outcome: 'fired' | 'skipped' | 'failed'): void {
  metrics?.count('schedule_fires_total', { tenant, outcome });
}

/** What only a change of configuration helps against is a refusal: the next slot tries again. */
async function admitted(ctx: SchedulerContext, row: JobRow, request: Parameters<SchedulerContext['admit']>[1]): Promise<Admission> {
  try {
    return await ctx.admit({ kind: 'service', id: `schedule:${row.id}`, tenant: row.tenant, roles: ['submitter'] }, request);
  } catch (error) {
    if (!(error instanceof FixRequestError)) throw error;
    const fields = { tenant_id: row.tenant, job: row.id };
    return refusedByError(ctx.log, error, { code: error.code, message: error.publicMessage, fields });
  }
}

async function told(ctx: SchedulerContext, row: JobRow, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    ctx.log.error(`job ${row.id} could not be fired now, and will be: ${reasonOf(error)}`, { tenant_id: row.tenant, job: row.id });
  }
}
