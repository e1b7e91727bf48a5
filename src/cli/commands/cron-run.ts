import { setTimeout as sleep } from 'node:timers/promises';
import { findJob } from '../../control/change-jobs.ts';
import { readServeState } from '../../state/serve-file.ts';
import type { FiringRow } from '../../state/schedules.ts';
import { printResult, type CommandContext } from '../command.ts';
import { firingView } from '../../control/job-view.ts';
import { jobsContext } from './cron-jobs.ts';

/** A running server looks once a second. */
const waitMs = 5_000;

/**
 * Starts a job now, through the same door as its slots: the start is written down, and the server asks for the run, with
 * the job's own principal. Without a server it waits, and says so.
 */
export async function runJobNow(context: CommandContext, id: string): Promise<void> {
  const { app, io, signal } = context;
  const ctx = await jobsContext(context);
  const row = findJob(ctx.schedules, { tenant: app.tenant, id });
  const started = ctx.schedules.startManual(row, ctx.clock.now());
  const isServed = readServeState((await app.home()).dir).isAlive;
  let firing: FiringRow = started;
  const endMs = Date.now() + (isServed ? waitMs : 0);
  while (isOpen(firing) && Date.now() < endMs && !signal.aborted) {
    await sleep(50);
    firing = ctx.schedules.firing(started) ?? firing;
  }
  printResult(io, { firing: firingView(firing), isServed }, sentence(firing, isServed));
}

function isOpen({ state, run }: FiringRow): boolean {
  return state === 'started' && run === undefined;
}

function sentence({ job, state, run, reason }: FiringRow, isServed: boolean): string {
  if (run !== undefined) return `Job ${job} runs as ${run}. Follow it with: clawhold runs tail ${run}`;
  if (state === 'refused') return `Job ${job} was refused: ${reason}`;
  return isServed
    ? `Job ${job} is queued, and the server has not started it yet. See: clawhold cron history ${job}`
    : `Job ${job} is queued: no server runs on this home, and it starts when "clawhold serve" does.`;
}
