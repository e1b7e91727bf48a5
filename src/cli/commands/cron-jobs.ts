import { systemClock } from '../../contracts/clock.ts';
import type { ScheduleTime } from '../../contracts/schedule.ts';
import type { ChangeJobsContext } from '../../control/change-jobs.ts';
import { jobView } from '../../control/job-view.ts';
import { makeVisible } from '../../governance/visible.ts';
import { openSchedules } from '../../state/schedules.ts';
import { printResult, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';

/** What changing jobs needs, for the tenant of the command. The list loads no parser of times: only what changes a job does. */
export async function jobsContext({ app }: CommandContext): Promise<ChangeJobsContext> {
  const [{ openTenants }, { maxSchedulesOf }] = await Promise.all([import('../../state/tenants.ts'), import('../../control/quota.ts')]);
  return {
    schedules: openSchedules(await app.database()),
    clock: systemClock,
    ledger: async () => await app.ledger(),
    maxSchedules: maxSchedulesOf(openTenants(await app.home())),
  };
}

/** `at 0 2 * * * (Europe/Berlin)`, `every 15m`, `once at …`. */
export function describeWhen({ cron, timezone, at, every }: ScheduleTime): string {
  if (cron !== undefined) return `at ${cron} (${timezone ?? 'UTC'})`;
  return every === undefined ? `once at ${at ?? ''}` : `every ${every}`;
}

export async function listJobs(context: CommandContext): Promise<void> {
  const ctx = await jobsContext(context);
  const views = ctx.schedules.list(context.app.tenant).map((row) => jobView(ctx, row));
  const cells = views.map(({ job, next, paused, last }) => [
    job.id,
    job.workflow === undefined ? job.agent : `workflow ${job.workflow}`,
    describeWhen(job.when),
    paused === null ? (next?.slice(0, 19) ?? 'none') : 'paused',
    last === null ? 'never' : (last.runState ?? last.state),
    makeVisible(paused ?? job.message).slice(0, 80),
  ]);
  const text =
    views.length === 0
      ? 'No jobs. Make one with: clawhold cron add --every 1h --message "…"'
      : table([['ID', 'STARTS', 'WHEN', 'NEXT (UTC)', 'LAST', 'MESSAGE, OR WHY IT IS PAUSED'], ...cells]);
  printResult(context.io, { jobs: views }, text);
}

export async function showJob(context: CommandContext, id: string): Promise<void> {
  const { findJob } = await import('../../control/change-jobs.ts');
  const ctx = await jobsContext(context);
  const view = jobView(ctx, findJob(ctx.schedules, { tenant: context.app.tenant, id }));
  const { job, next, paused, last, origin, created } = view;
  const lines = [
    `${job.id}: ${job.workflow === undefined ? `agent ${job.agent}` : `workflow ${job.workflow}`}, ${describeWhen(job.when)}`,
    `next         ${paused === null ? (next ?? 'none') : `paused: ${makeVisible(paused)}`}`,
    `message      ${makeVisible(job.message)}`,
    `mode         ${job.mode}`,
    `missed       ${job.missed ?? 'skip'}`,
    `interrupted  ${job.interrupted ?? 'resume'}`,
    `jitter       ${job.jitterSeconds ?? 0} s`,
    `notify       ${job.notify === null ? 'nobody' : 'file' in job.notify ? job.notify.file : `${job.notify.url}, signed with ${job.notify.secret}`}`,
    `made         ${created}, by ${origin === 'cli' ? 'a person' : `agents/${job.agent}/agent.yaml`}`,
    `last         ${last === null ? 'never' : `${last.slot} ${last.runState ?? last.state}${last.run === null ? '' : ` ${last.run}`}`}`,
  ];
  printResult(context.io, view, lines.join('\n'));
}

export async function pauseCronJob(context: CommandContext, id: string, reason: string): Promise<void> {
  const { pauseJob } = await import('../../control/change-jobs.ts');
  const ctx = await jobsContext(context);
  await pauseJob(ctx, localUser(context), { tenant: context.app.tenant, id, reason });
  printResult(context.io, { job: id, paused: reason }, `Job ${id} is paused. Continue it with: clawhold cron resume ${id}`);
}

export async function resumeCronJob(context: CommandContext, id: string): Promise<void> {
  const { resumeJob } = await import('../../control/change-jobs.ts');
  const ctx = await jobsContext(context);
  const view = jobView(ctx, await resumeJob(ctx, localUser(context), { tenant: context.app.tenant, id }));
  printResult(context.io, view, `Job ${id} fires again, next at ${view.next ?? 'no time: its time is over'}.`);
}

export async function removeCronJob(context: CommandContext, id: string): Promise<void> {
  const { removeJob } = await import('../../control/change-jobs.ts');
  const ctx = await jobsContext(context);
  await removeJob(ctx, localUser(context), { tenant: context.app.tenant, id });
  printResult(context.io, { removed: id }, `Job ${id} is removed. What it did stays in "clawhold cron history ${id}".`);
}
