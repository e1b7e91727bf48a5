import { Option, type Command } from 'commander';
import type { CliCommand, CommandContext } from '../command.ts';

export interface AddFlags {
  readonly agent?: string;
  readonly id?: string;
  readonly workflow?: string;
  readonly cron?: string;
  readonly timezone?: string;
  readonly at?: string;
  readonly every?: string;
  readonly message?: string;
  readonly project?: string;
  readonly lane?: string;
  readonly mode: string;
  readonly missed?: string;
  readonly interrupted?: string;
  readonly jitter?: string;
  readonly notifyFile?: string;
  readonly notifyUrl?: string;
  readonly notifySecret?: string;
}

/** Each verb's code is read only when the verb is used. They work on the database: a server notices within a second. */
export const command: CliCommand = {
  configure(verb, context) {
    addAdd(verb, context);
    addLists(verb, context);
    addChanges(verb, context);
  },
};

function addAdd(verb: Command, context: CommandContext): void {
  verb
    .command('add')
    .description('start an agent at fixed times; "clawhold serve" does it')
    .option('-a, --agent <name>', 'which agent (default: the only one, or "main")')
    .option('--workflow <name>', 'start this workflow instead of one agent; the message is its input')
    .option('--id <name>', 'name of the job (default: the agent and a number)')
    .option('--cron <expression>', 'minute, hour, day of month, month and weekday, for example "0 2 * * *"')
    .option('--timezone <zone>', 'zone of --cron, for example Europe/Berlin (default: UTC)')
    .option('--at <time>', 'once, for example 2026-12-24T18:00:00+01:00')
    .option('--every <interval>', 'for example 90s, 15m, 6h or 1d')
    .option('-m, --message <text>', 'what the agent is told (default: its task in agent.yaml)')
    .option('--project <name>', 'work for this project of projects.yaml, in its repo')
    .option('--lane <name>', 'which lane of the project')
    .addOption(new Option('--mode <mode>', 'a session for each run, or one for all').choices(['isolated', 'main']).default('isolated'))
    .addOption(new Option('--missed <policy>', 'slots that passed while nothing ran (default: skip)').choices(['skip', 'once', 'all']))
    .addOption(new Option('--interrupted <policy>', 'a run that died with its process (default: resume)').choices(['resume', 'skip']))
    .option('--jitter <seconds>', 'start up to so many seconds later')
    .option('--notify-file <path>', "write the output to this file below the tenant's artifacts")
    .option('--notify-url <url>', 'send the output to this https address')
    .option('--notify-secret <name>', 'NAME of the secret that signs what is sent')
    .action(async (flags: AddFlags) => await (await import('./cron-add.ts')).addCronJob(context, flags));
}

function addLists(verb: Command, context: CommandContext): void {
  verb
    .command('list')
    .description('jobs, when they fire next, and what became of their last slot')
    .action(async () => await (await import('./cron-jobs.ts')).listJobs(context));
  verb
    .command('show <id>')
    .description('one job with everything it says')
    .action(async (id: string) => await (await import('./cron-jobs.ts')).showJob(context, id));
  verb
    .command('history [id]')
    .description('what became of the slots of one job or all, newest first')
    .option('-n, --limit <n>', 'how many', '20')
    .action(
      async (id: string | undefined, flags: { readonly limit: string }) =>
        await (await import('./cron-history.ts')).showHistory(context, id, flags.limit),
    );
}

function addChanges(verb: Command, context: CommandContext): void {
  verb
    .command('pause <id>')
    .description('fire nothing until it is resumed')
    .option('--reason <text>', 'why, for people', 'paused by hand')
    .action(
      async (id: string, flags: { readonly reason: string }) =>
        await (await import('./cron-jobs.ts')).pauseCronJob(context, id, flags.reason),
    );
  verb
    .command('resume <id>')
    .description('fire again, from its next slot on')
    .action(async (id: string) => await (await import('./cron-jobs.ts')).resumeCronJob(context, id));
  verb
    .command('remove <id>')
    .description('forget a job; what it did is kept')
    .action(async (id: string) => await (await import('./cron-jobs.ts')).removeCronJob(context, id));
  verb
    .command('run <id>')
    .description('start it now, as if it were due')
    .action(async (id: string) => await (await import('./cron-run.ts')).runJobNow(context, id));
}
