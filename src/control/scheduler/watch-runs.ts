import { terminalStates } from '../../contracts/run.ts';
import { sha256 } from '../../contracts/json.ts';
import type { FiringRow, JobRow } from '../../state/schedules.ts';
import type { RunRow } from '../../state/runs.ts';
import { pauseJob } from '../change-jobs.ts';
import { passageId } from '../workflows.ts';
import { keyOf } from './fire.ts';
import type { SchedulerContext } from '../scheduler.ts';

/** So many processes that died with runs of a job, one after the other and within so long, pause it. */
export const guardDeaths = 3;
export const guardMs = 10 * 60_000;

interface Round {
  readonly nowMs: number;
  /** Whether it is also asked if the processes at work live. */
  readonly isSweep: boolean;
}

/** Looks at the runs that jobs have started: those that ended, and those whose process died. */
export async function watchRuns(ctx: SchedulerContext, round: Round): Promise<void> {
  const alive = new Map<string, boolean>();
  const isAlive = (tenant: RunRow['tenant'], owner: string): boolean => {
    const key = `${tenant}/${owner}`;
    if (!alive.has(key)) alive.set(key, ctx.isAlive(tenant, owner));
    return alive.get(key) === true;
  };
  for (const firing of ctx.schedules.open()) {
    const run = firing.run === undefined ? undefined : ctx.runs.get(firing.run);
    if (run === undefined || isOnItsWay(ctx, firing, run)) continue;
    if (terminalStates.has(run.state)) endFiring(ctx, { firing, run, nowMs: round.nowMs });
    else await watchOwner(ctx, { firing, run, round, isAlive });
  }
}

/** A firing of a workflow shows the run of the step that is at work, and ends when the passage does. */
function isOnItsWay(ctx: SchedulerContext, firing: FiringRow, { state }: RunRow): boolean {
  const passage = ctx.workflows?.get(firing.tenant, passageId(firing.tenant, keyOf(firing)));
  if (passage === undefined) return false;
  const shown = passage.run ?? passage.done.at(-1);
  if (shown !== undefined && shown !== firing.run) {
    ctx.schedules.update(firing, { run: shown });
    return true;
  }
  if (passage.state === 'running') return passage.run === undefined || terminalStates.has(state);
  const isStepMissing = passage.state === 'failed' && passage.run === undefined;
  // Its last run is one of a step before: what that one said is not the workflow's output.
  if (isStepMissing) ctx.schedules.update(firing, { state: 'refused', reason: passage.reason, endedMs: ctx.clock.now() });
  return isStepMissing;
}

function endFiring(ctx: SchedulerContext, { firing, run, nowMs }: { firing: FiringRow; run: RunRow; nowMs: number }): void {
  const row = ctx.schedules.get(firing.tenant, firing.job);
  const target = row?.job.notify ?? null;
  if (target !== null) {
    const { tenant, job, slotMs } = firing;
    const id = `dlv_${sha256(`${tenant}/${job}/${slotMs}/${run.id}`).slice(0, 26)}`;
    const fresh = { state: 'waiting', attempts: 0, reason: '', nextMs: nowMs, createdMs: nowMs } as const;
    ctx.deliveries.add({ id, tenant, job, slotMs, run: run.id, target, ...fresh });
  }
  ctx.schedules.update(firing, { state: 'ended', runState: run.state, reason: run.reason, endedMs: run.endedMs ?? nowMs });
  if (row !== undefined && row.deaths.length > 0 && firing.interruptions === 0) ctx.schedules.setDeaths(row.tenant, row.id, []);
}

interface Watched {
  readonly firing: FiringRow;
  readonly run: RunRow;
  readonly round: Round;
  readonly isAlive: (tenant: RunRow['tenant'], owner: string) => boolean;
}

const counted = 'dead:';

/**
 * A run that says `running` while its process is gone was interrupted: seen now, or seen when another process has already
 * taken it over. A run that waits for a human holds no process, so a new one is no death. The firing's `owner` is the
 * process that was last seen at work, or `dead:` and the one whose death was counted.
 */
async function watchOwner(ctx: SchedulerContext, { firing, run, round, isAlive }: Watched): Promise<void> {
  const owner = run.state === 'running' ? run.owner : undefined;
  const before = firing.owner;
  if (owner !== undefined && before === counted + owner) return;
  const wasAtWork = before !== undefined && !before.startsWith(counted);
  if (wasAtWork && owner !== undefined && before !== owner && !isAlive(run.tenant, before))
    await noteDeath(ctx, { firing, run, owner: before, nowMs: round.nowMs });
  const isDead = round.isSweep && owner !== undefined && !isAlive(run.tenant, owner);
  const seen = isDead ? counted + owner : owner;
  if (seen !== before) ctx.schedules.noteOwner(firing, seen ?? null);
  if (!isDead) return;
  const reason = await noteDeath(ctx, { firing, run, owner, nowMs: round.nowMs });
  if (reason !== undefined) leave(ctx, run, reason);
}

interface Death {
  readonly firing: FiringRow;
  readonly run: RunRow;
  readonly owner: string;
  readonly nowMs: number;
}

/** Counts it, and pauses a job that dies again and again. Gives the reason why nobody should go on with the run, if any. */
async function noteDeath(ctx: SchedulerContext, { firing, run, owner, nowMs }: Death): Promise<string | undefined> {
  const interruptions = (ctx.schedules.firing(firing)?.interruptions ?? 0) + 1;
  ctx.schedules.update(firing, { interruptions });
  const names = { tenant_id: run.tenant, run_id: run.id, job: firing.job };
  ctx.log.warn(`a run of job ${firing.job} was interrupted: its process died`, names);
  const row = ctx.schedules.get(firing.tenant, firing.job);
  if (row === undefined) return undefined;
  const others = row.deaths.filter((death) => death.owner !== owner && Math.abs(nowMs - death.ms) < guardMs);
  const deaths = [...others, { owner, ms: nowMs }];
  ctx.schedules.setDeaths(row.tenant, row.id, deaths);
  if (deaths.length >= guardDeaths) {
    if (row.pauseReason === undefined) await pauseLoop(ctx, row, deaths.length);
    return 'its job was paused, because processes kept dying with it';
  }
  return row.job.interrupted === 'skip' ? 'its process died, and its job leaves such runs as they are' : undefined;
}

async function pauseLoop(ctx: SchedulerContext, row: JobRow, count: number): Promise<void> {
  const reason = `${count} processes in a row died with a run of it within ${guardMs / 60_000} minutes; find out why, then: clawhold cron resume ${row.id}`;
  await pauseJob(ctx, { kind: 'service', id: 'scheduler' }, { tenant: row.tenant, id: row.id, reason });
  ctx.log.error(`job ${row.id} is paused: ${reason}`, { tenant_id: row.tenant, job: row.id, code: 'control.restart-loop' });
}

/** Nobody goes on with it by itself; a human still can, with `runs resume`. Only if nobody has taken it meanwhile. */
function leave(ctx: SchedulerContext, run: RunRow, reason: string): void {
  // A larger fence: should the process only sleep, what it writes when it wakes up does not count.
  if (!ctx.runs.takeOver(run.id, run, run.fence === undefined ? {} : { fence: run.fence + 1 })) return;
  ctx.runs.update(run.id, { state: 'cancelled', reason, endedMs: ctx.clock.now() });
}
