import type { Clock } from '../contracts/clock.ts';
import { FixRequestError } from '../contracts/errors.ts';
import { parseAgentId, parseTenantId, type TenantId } from '../contracts/ids.ts';
import { hashJson } from '../contracts/json.ts';
import type { LedgerEventOf, LedgerWriter } from '../contracts/ledger.ts';
import type { ScheduleJob } from '../contracts/schedule.ts';
import { defaultSchedules } from '../contracts/tenant.ts';
import type { JobRow, Schedules } from '../state/schedules.ts';
import { overQuotaSentence } from './quota.ts';
import { firstFiring, type JobTiming } from './plan-firings.ts';
import { timeFault } from './slots.ts';

export interface ChangeJobsContext {
  readonly schedules: Schedules;
  readonly clock: Clock;
  readonly ledger: (tenant: TenantId) => Promise<LedgerWriter>;
  /** How many jobs a tenant may have. Default 200. */
  readonly maxSchedules?: (tenant: TenantId) => number;
}

/** Who changes a job, for the record. */
export type Changer = LedgerEventOf<'schedule.change'>['principal'];

export interface NamedJob {
  readonly tenant: TenantId;
  readonly id: string;
}

/** What decides when a stored job fires. */
export function timingOf(row: Pick<JobRow, 'tenant' | 'id' | 'job' | 'anchorMs' | 'nextMs'>): JobTiming {
  const { tenant, id, job, anchorMs, nextMs } = row;
  return { tenant, id, when: job.when, missed: job.missed, jitterSeconds: job.jitterSeconds, anchorMs, nextMs };
}

/** @throws FixRequestError when the id is taken, the tenant has as many jobs as it may, or the job could never fire. */
export async function addJob(
  ctx: ChangeJobsContext,
  by: Changer,
  { job, origin = 'cli' }: { readonly job: ScheduleJob; readonly origin?: JobRow['origin'] },
): Promise<JobRow> {
  const row = newRow(job, origin, ctx.clock.now());
  if (ctx.schedules.get(row.tenant, row.id) !== undefined) throw taken(row);
  const most = ctx.maxSchedules?.(row.tenant) ?? defaultSchedules;
  if (ctx.schedules.count(row.tenant) >= most) throw overQuota(ctx, row, most);
  await record(ctx, by, { tenant: row.tenant, job: row.id, change: 'added', definition: hashJson(job) });
  if (!ctx.schedules.add(row, most)) throw ctx.schedules.get(row.tenant, row.id) === undefined ? overQuota(ctx, row, most) : taken(row);
  return row;
}

/** The new definition of a job; another time counts from now. @throws FixRequestError when it could never fire. */
export async function changeJob(
  ctx: ChangeJobsContext,
  by: Changer,
  { old, job }: { readonly old: JobRow; readonly job: ScheduleJob },
): Promise<void> {
  const fresh = newRow(job, old.origin, ctx.clock.now());
  await record(ctx, by, { tenant: old.tenant, job: old.id, change: 'changed', definition: hashJson(job) });
  const isSameTime = hashJson([old.job.when, old.job.jitterSeconds ?? 0]) === hashJson([job.when, job.jitterSeconds ?? 0]);
  ctx.schedules.replace(isSameTime ? { ...old, job, agent: fresh.agent } : fresh);
}

/** @throws FixRequestError for a job that is not there, or that a file makes. */
export async function removeJob(ctx: ChangeJobsContext, by: Changer, { tenant, id }: NamedJob): Promise<void> {
  const row = findJob(ctx.schedules, { tenant, id });
  if (row.origin === 'agent.yaml')
    throw new FixRequestError(
      'control.job-in-file',
      `The job ${id} comes from agents/${row.agent}/agent.yaml and would come back. Remove "schedule:" there, or pause it: clawhold cron pause ${id}.`,
    );
  await dropJob(ctx, by, row);
}

/** Removes a job whatever made it: for whoever follows the file. */
export async function dropJob(ctx: ChangeJobsContext, by: Changer, row: JobRow): Promise<void> {
  await record(ctx, by, { tenant: row.tenant, job: row.id, change: 'removed' });
  ctx.schedules.remove(row.tenant, row.id);
}

/** A paused job fires nothing, until it is resumed. @throws FixRequestError for a job that is not there. */
export async function pauseJob(
  ctx: ChangeJobsContext,
  by: Changer,
  { tenant, id, reason }: NamedJob & { readonly reason: string },
): Promise<void> {
  findJob(ctx.schedules, { tenant, id });
  await record(ctx, by, { tenant, job: id, change: 'paused', reason });
  ctx.schedules.pause(tenant, id, reason);
}

/** Slots that passed meanwhile are not made up for. @throws FixRequestError for a job that is not there. */
export async function resumeJob(ctx: ChangeJobsContext, by: Changer, { tenant, id }: NamedJob): Promise<JobRow> {
  const row = findJob(ctx.schedules, { tenant, id });
  await record(ctx, by, { tenant, job: id, change: 'resumed' });
  ctx.schedules.resume(tenant, id, firstFiring(timingOf(row), ctx.clock.now()));
  return findJob(ctx.schedules, { tenant, id });
}

/** @throws FixRequestError for a job that is not there. */
export function findJob(schedules: Schedules, { tenant, id }: NamedJob): JobRow {
  const row = schedules.get(tenant, id);
  if (row !== undefined) return row;
  const ids = schedules.list(tenant).map((one) => one.id);
  const known = ids.length === 0 ? 'There is none yet: make one with "clawhold cron add".' : `Use one of these: ${ids.join(', ')}.`;
  throw new FixRequestError('control.unknown-job', `There is no job ${JSON.stringify(id)}. ${known}`);
}

function newRow(job: ScheduleJob, origin: JobRow['origin'], nowMs: number): JobRow {
  const fault = timeFault(job.when);
  if (fault !== undefined) throw badTime(job.id, `its ${fault.field} ${fault.message}`);
  const place = { tenant: parseTenantId(job.tenant), id: job.id, agent: parseAgentId(job.agent) };
  const row: JobRow = { ...place, origin, job, createdMs: nowMs, anchorMs: nowMs, deaths: [] };
  const next = firstFiring(timingOf(row), nowMs);
  if (next === undefined && origin === 'cli') throw badTime(job.id, `its time ${job.when.at ?? ''} is over`);
  return next === undefined ? row : { ...row, nextMs: next.slotMs, dueMs: next.dueMs };
}

function badTime(id: string, why: string): FixRequestError {
  return new FixRequestError('control.bad-schedule', `The job ${id} would never fire: ${why}. Correct its time and try again.`);
}

function overQuota({ schedules }: ChangeJobsContext, { tenant }: JobRow, limit: number): FixRequestError {
  const message = overQuotaSentence(tenant, { name: 'schedules', limit, used: schedules.count(tenant) });
  return new FixRequestError('control.over-quota', message);
}

function taken({ id, origin }: JobRow): FixRequestError {
  const whose = origin === 'cli' ? 'choose another id, or remove it first' : 'a job of that name was added by hand; remove it';
  return new FixRequestError('control.job-exists', `There is a job ${id} already, and ids are unique in a tenant: ${whose}.`);
}

type Change = Omit<LedgerEventOf<'schedule.change'>, 'type' | 'at' | 'principal'> & { readonly tenant: TenantId };

async function record(ctx: ChangeJobsContext, principal: Changer, { tenant, ...change }: Change): Promise<void> {
  const at = new Date(ctx.clock.now()).toISOString();
  await (await ctx.ledger(tenant)).append({ type: 'schedule.change', at, principal, ...change });
}
