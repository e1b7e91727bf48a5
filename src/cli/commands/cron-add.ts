import { addJob } from '../../control/change-jobs.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { parseAgentId, type AgentId } from '../../contracts/ids.ts';
import { jobView } from '../../control/job-view.ts';
import { readWorkflow } from '../../control/workflows.ts';
import { scheduleJob, type ScheduleJob } from '../../contracts/schedule.ts';
import type { Schedules } from '../../state/schedules.ts';
import { printResult, type CommandContext } from '../command.ts';
import { checkNotifyUrl, notifyRights } from '../open-notify-post.ts';
import { chooseAgent, localUser, placeFromFlags } from '../run-options.ts';
import type { AddFlags } from './cron.ts';
import { describeWhen, jobsContext } from './cron-jobs.ts';

/** Adds a job from the command line's flags. @throws FixRequestError that names the flag. */
export async function addCronJob(context: CommandContext, flags: AddFlags): Promise<void> {
  const { app, io } = context;
  const { loadAgent } = await import('../../worker/load-agent.ts');
  if (flags.workflow !== undefined && flags.agent !== undefined)
    throw new FixRequestError('cli.bad-schedule', '--agent and --workflow were both given, and a job starts one of them. Choose one.');
  const flow = flags.workflow === undefined ? undefined : await readWorkflow(await app.home(), app.tenant, flags.workflow);
  const agent = flow === undefined ? await chooseAgent(context, flags.agent) : parseAgentId(flow.steps[0]?.agent ?? '');
  const { config } = await loadAgent(await app.home(), { tenant: app.tenant, agent });
  const message = flags.message ?? (flow === undefined ? config.task : (flow.description ?? `Workflow ${flags.workflow ?? ''}`));
  if (message === undefined || message.trim() === '')
    throw new FixRequestError('cli.no-task', `Agent ${agent} has no standing task, so the job needs --message "…". Nothing was added.`);
  if (flags.workflow !== undefined && flags.project !== undefined)
    throw new FixRequestError(
      'cli.bad-schedule',
      '--workflow and --project were both given, and only the run of one agent works for a project. Choose one.',
    );
  await placeFromFlags(context, flags);
  const ctx = await jobsContext(context);
  const job = parseJob({ ...jobFrom(flags), id: flags.id ?? freeId(ctx.schedules, context, agent), tenant: app.tenant, agent, message });
  if (job.notify !== null && 'url' in job.notify)
    await checkNotifyUrl(job.notify.url, notifyRights(app, agent, (await app.config()).egress?.loopback ?? []));
  const row = await addJob(ctx, localUser(context), { job });
  const view = jobView(ctx, row);
  printResult(
    io,
    view,
    `Job ${row.id} starts ${flags.workflow === undefined ? `agent ${agent}` : `workflow ${flags.workflow}`} ${describeWhen(job.when)}, next at ${view.next ?? 'no time'}.\n${await servedBy(context)}`,
  );
}

async function servedBy({ app }: CommandContext): Promise<string> {
  const { readServeState } = await import('../../state/serve-file.ts');
  return readServeState((await app.home()).dir).isAlive ? 'The running server has it.' : 'It fires while "clawhold serve" runs.';
}

function jobFrom(flags: AddFlags): object {
  const { cron, timezone, at, every } = flags;
  const when = Object.fromEntries(Object.entries({ cron, timezone, at, every }).filter(([, value]) => value !== undefined));
  return {
    when,
    mode: flags.mode,
    ...(flags.workflow === undefined ? {} : { workflow: flags.workflow }),
    ...(flags.project === undefined ? {} : { project: flags.project }),
    ...(flags.lane === undefined ? {} : { lane: flags.lane }),
    ...(flags.missed === undefined ? {} : { missed: flags.missed }),
    ...(flags.interrupted === undefined ? {} : { interrupted: flags.interrupted }),
    ...(flags.jitter === undefined ? {} : { jitterSeconds: Number(flags.jitter) }),
    notify: notifyFrom(flags),
  };
}

function notifyFrom({ notifyFile, notifyUrl, notifySecret }: AddFlags): object | null {
  if (notifyFile !== undefined && notifyUrl !== undefined)
    throw new FixRequestError('cli.bad-schedule', '--notify-file and --notify-url were both given, and a job has one target. Choose one.');
  if (notifyFile !== undefined) return { file: notifyFile };
  if (notifyUrl === undefined) return null;
  if (notifySecret === undefined)
    throw new FixRequestError(
      'cli.bad-schedule',
      '--notify-url needs --notify-secret NAME, the secret that signs what is sent, so that the receiver can check it. Keep one with: clawhold secrets set NAME.',
    );
  return { url: notifyUrl, secret: notifySecret };
}

const flagOf: Readonly<Record<string, string>> = {
  when: '--cron, --at or --every',
  'when.cron': '--cron',
  'when.at': '--at',
  'when.every': '--every',
  'when.timezone': '--timezone',
  jitterSeconds: '--jitter',
  'notify.file': '--notify-file',
  'notify.url': '--notify-url',
  'notify.secret': '--notify-secret',
  notify: 'the target of --notify-file or --notify-url',
  project: '--project',
  lane: '--lane',
  id: '--id',
  message: '--message',
};

function parseJob(given: object): ScheduleJob {
  const parsed = scheduleJob.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  const where = issue?.path.join('.') ?? '';
  const what = issue?.message === undefined || issue.message === 'Invalid input' ? 'has a value that is not allowed' : issue.message;
  const hint = where === 'notify' ? 'a file is a plain path such as reports/daily.md, a url is https' : what;
  throw new FixRequestError('cli.bad-schedule', `${flagOf[where] ?? where} cannot be used: ${hint}. Correct it; nothing was added.`);
}

/** `main-1`, or the next number that is free. */
function freeId(schedules: Schedules, { app }: CommandContext, agent: AgentId): string {
  for (let number = 1; ; number += 1) {
    const id = `${agent.slice(0, 56)}-${number}`;
    if (schedules.get(app.tenant, id) === undefined) return id;
  }
}
