import type { Admission, RunRequest } from '../contracts/admission.ts';
import type { AgentId, SessionId, TenantId } from '../contracts/ids.ts';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { Principal } from '../contracts/principal.ts';
import type { Runs } from '../state/runs.ts';
import type { Workflows } from '../state/workflows.ts';
import type { ChangeJobsContext } from './change-jobs.ts';
import { deliverDue, type NotifyContext } from './notify.ts';
import { admitWaiting, fireDue } from './scheduler/fire.ts';
import { followAgents, type SeenFiles } from './scheduler/follow-agents.ts';
import { rewindJobs } from './scheduler/rewind.ts';
import { watchRuns } from './scheduler/watch-runs.ts';
import { advanceWorkflows } from './workflows.ts';

/** The one entry to the queue, as far as it is needed here. */
export type AdmitRun = (principal: Principal, request: RunRequest) => Promise<Admission>;

export interface SchedulerContext extends ChangeJobsContext, NotifyContext {
  readonly runs: Runs;
  readonly log: Log;
  readonly metrics?: Metrics;
  readonly admit: AdmitRun;
  readonly tenants: () => Promise<readonly TenantId[]>;
  /** The session that runs of mode `main` continue. */
  readonly lastSession: (tenant: TenantId, agent: AgentId) => SessionId | undefined;
  /** Whether the process that holds a ledger claim lives. */
  readonly isAlive: (tenant: TenantId, owner: string) => boolean;
  /** Absent: no workflow goes on here. */
  readonly workflows?: Workflows;
  /** How often it looks for changes by other processes. Default 1 s. */
  readonly pollMs?: number;
  /** A clock that nobody sets. Default the process's. */
  readonly monotonicMs?: () => number;
}

/** Fires jobs when they are due, follows their runs, and sends out what they said. */
export interface Scheduler {
  start(): void;
  /** Resolves when nothing of it is at work any more. What was begun is completed at the next start. */
  stop(): Promise<void>;
  /** How long ago a round ended well, or the first began: rounds that hang or fail, and one that never came, make it grow. */
  silentMs(): number;
  /** One round: what `start` repeats. */
  tick(): Promise<void>;
  /** Sends what is due now. */
  deliver(): Promise<void>;
}

/** What one process remembers between two rounds; nothing of it has to survive. */
export interface SchedulerMemory {
  lastMs: number;
  readonly files: SeenFiles;
  filesMs: number;
  aliveMs: number;
}

const filesEveryMs = 2_000;
const aliveEveryMs = 5_000;

/**
 * The scheduler of one installation. Any number of processes may have one on the same database: each slot of a job is
 * taken by one of them, in the database, before its run is asked for, and the run is asked for with a key made of job
 * and slot, so that whoever completes what a crash cut off asks for the same run.
 */
export function openScheduler(ctx: SchedulerContext): Scheduler {
  const memory: SchedulerMemory = { lastMs: Infinity, files: new Map(), filesMs: -Infinity, aliveMs: -Infinity };
  const stopped = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  let working: Promise<void> = Promise.resolve();
  let sending: Promise<void> | undefined;
  const { monotonicMs = () => performance.now() } = ctx;
  let wellMs = monotonicMs();
  const deliver = async (): Promise<void> => await deliverDue(ctx, stopped.signal);
  const tick = async (): Promise<void> => await round(ctx, memory);
  const send = (): void => {
    sending ??= guarded(ctx, 'deliver', deliver).finally(() => (sending = undefined));
  };
  const turn = async (): Promise<void> => {
    await tick();
    wellMs = monotonicMs();
  };
  const repeat = (): void => {
    working = guarded(ctx, 'tick', turn).finally(() => {
      send();
      if (!stopped.signal.aborted) timer = setTimeout(repeat, sleepMs(ctx));
    });
  };
  return {
    start: repeat,
    stop: async () => {
      stopped.abort();
      clearTimeout(timer);
      await working;
      await sending;
    },
    silentMs: () => monotonicMs() - wellMs,
    tick,
    deliver,
  };
}

async function round(ctx: SchedulerContext, memory: SchedulerMemory): Promise<void> {
  const nowMs = ctx.clock.now();
  const isFirst = memory.lastMs === Infinity;
  if (nowMs < memory.lastMs) await rewindJobs(ctx, nowMs);
  const isBack = !isFirst && nowMs < memory.lastMs;
  memory.lastMs = nowMs;
  if (isBack || nowMs - memory.filesMs >= filesEveryMs) {
    memory.filesMs = nowMs;
    await followAgents(ctx, memory.files);
  }
  const isSweep = isBack || nowMs - memory.aliveMs >= aliveEveryMs;
  if (isSweep) memory.aliveMs = nowMs;
  await watchRuns(ctx, { nowMs, isSweep });
  await admitWaiting(ctx, { nowMs, isFirst });
  await fireDue(ctx, nowMs);
  if (ctx.workflows !== undefined) await advanceWorkflows({ ...ctx, workflows: ctx.workflows });
}

function sleepMs({ schedules, clock, pollMs = 1000 }: SchedulerContext): number {
  try {
    return Math.max(5, Math.min(pollMs, (schedules.nextDueMs() ?? Infinity) - clock.now()));
  } catch {
    // silent-ok: the next round meets the same failure, and tells it.
    return pollMs;
  }
}

/** A round that fails is told and repeated: a full disk must not end the scheduler. */
async function guarded(ctx: SchedulerContext, what: string, work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    ctx.log.error(`the scheduler could not finish a round (${what}): ${reason}`, { code: 'control.scheduler-round' });
  }
}
