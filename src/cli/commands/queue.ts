import type { Command } from 'commander';
import type { CliCommand, CommandContext } from '../command.ts';

/** Which tasks a command speaks of. */
export interface ScopeFlags {
  readonly own?: boolean;
  readonly type?: string;
}

export interface ListFlags extends ScopeFlags {
  readonly state: string;
  readonly limit: string;
  readonly after?: string;
}

export interface RemoveFlags extends ScopeFlags {
  readonly state?: string;
  readonly yes?: boolean;
}

export const command: CliCommand = {
  configure(verb, context) {
    addViews(verb, context);
    addWork(verb, context);
  },
};

function scoped(verb: Command): Command {
  return verb
    .option('--own', 'of tenant default alone; without it, and without --tenant, of all tenants')
    .option('--type <agentType>', 'only this agent type');
}

function addViews(verb: Command, context: CommandContext): void {
  scoped(verb.command('status').description('how many tasks wait, are worked on and are dead')).action(
    async (flags: ScopeFlags) => await (await import('./queue-views.ts')).showStatus(context, flags),
  );
  scoped(verb.command('list').description('tasks of one state, oldest first'))
    .option('--state <state>', 'scheduled, ready, leased, done or dead', 'ready')
    .option('-n, --limit <n>', 'how many', '20')
    .option('--after <task>', 'the page after this task')
    .action(async (flags: ListFlags) => await (await import('./queue-views.ts')).listTasks(context, flags));
  scoped(verb.command('dead').description('tasks that were given up, with the reason'))
    .option('-n, --limit <n>', 'how many', '20')
    .option('--after <task>', 'the page after this task')
    .action(async (flags: ListFlags) => await (await import('./queue-views.ts')).listTasks(context, { ...flags, state: 'dead' }));
}

function addWork(verb: Command, context: CommandContext): void {
  scoped(verb.command('requeue [task]').description('let a dead task, or all of them, be tried again')).action(
    async (task: string | undefined, flags: ScopeFlags) => await (await import('./queue-work.ts')).requeue(context, task, flags),
  );
  scoped(verb.command('remove [task]').description('take out one task, or all of one state; a leased one is left'))
    .option('--state <state>', 'scheduled, ready, dead or done')
    .option('--yes', 'for more than one task')
    .action(async (task: string | undefined, flags: RemoveFlags) => await (await import('./queue-work.ts')).remove(context, task, flags));
  scoped(verb.command('pause').description('lease nothing more; what waits is kept')).action(
    async (flags: ScopeFlags) => await (await import('./queue-work.ts')).pause(context, flags),
  );
  scoped(verb.command('resume').description('lease again after pause or drain')).action(
    async (flags: ScopeFlags) => await (await import('./queue-work.ts')).resume(context, flags),
  );
  scoped(verb.command('drain').description('pause, and wait until nothing is worked on'))
    .option('--timeout <seconds>', 'give up waiting after so long (exit 124)', '300')
    .action(
      async (flags: ScopeFlags & { readonly timeout: string }) =>
        await (await import('./queue-work.ts')).drain(context, flags, flags.timeout),
    );
}
