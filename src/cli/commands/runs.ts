import type { Command } from 'commander';
import { approvalsOption } from '../run-options.ts';
import type { CliCommand, CommandContext } from '../command.ts';
import type { ApprovalSurface, RunState } from '../../contracts/run.ts';

/** Each verb's code is in `runs/`, and read only when the verb is used. */
export const command: CliCommand = {
  configure(verb, context) {
    addList(verb, context);
    addWork(verb, context);
    addRecord(verb, context);
  },
};

function addList(verb: Command, context: CommandContext): void {
  verb
    .command('list', { isDefault: true })
    .description('runs, newest first')
    .option('-a, --agent <name>', 'only this agent')
    .option('-s, --session <id>', 'only this session')
    .option('--state <state>', 'only this state')
    .option('-n, --limit <n>', 'how many', '20')
    .option('--before <run>', 'the page after this run')
    .action(async (flags: ListFlags) => await (await import('./runs-list.ts')).listRuns(context, flags));
}

export interface ListFlags {
  readonly agent?: string;
  readonly session?: string;
  readonly state?: RunState | 'interrupted';
  readonly limit: string;
  readonly before?: string;
}

function addWork(verb: Command, context: CommandContext): void {
  verb
    .command('show [run]')
    .description('one run: state, calls with their decisions, costs (default: the latest)')
    .option('--diff', 'what it changed in the workspace')
    .action(
      async (run: string | undefined, flags: { readonly diff?: boolean }) =>
        await (await import('./runs-show.ts')).showRun(context, run, flags.diff === true),
    );
  verb
    .command('tail [run]')
    .description('follow a run as it works')
    .action(async (run: string | undefined) => await (await import('./runs-tail.ts')).tailRun(context, run));
  verb
    .command('stop [run]')
    .description('end a run cleanly; it can be resumed')
    .action(async (run: string | undefined) => await (await import('./runs-stop.ts')).stopRun(context, run));
  verb
    .command('resume [run]')
    .description('continue a run that was interrupted, stopped, or waited for an answer')
    .addOption(approvalsOption())
    .option('--events', 'print every event as one JSON line')
    .action(async (run: string | undefined, flags: { readonly approvals?: ApprovalSurface; readonly events?: boolean }) => {
      const [{ findRun }, { resumeWithCli }] = await Promise.all([import('./find-run.ts'), import('../resume-with-cli.ts')]);
      await resumeWithCli(context, (await findRun(context, run)).id, flags);
    });
}

function addRecord(verb: Command, context: CommandContext): void {
  verb
    .command('replay [run]')
    .description('run the loop again from the record, without model and effects, and compare')
    .option('--policy <file>', 'a tenant policy: show what it would have decided otherwise')
    .action(
      async (run: string | undefined, flags: { readonly policy?: string }) =>
        await (await import('./runs-replay.ts')).replayWithCli(context, run, flags.policy),
    );
  verb
    .command('undo [run]')
    .description('put back what a run changed in the workspace, where nobody changed it since')
    .option('--dry-run', 'only say what would be put back')
    .action(
      async (run: string | undefined, flags: { readonly dryRun?: boolean }) =>
        await (await import('./runs-undo.ts')).undoRun(context, run, flags.dryRun === true),
    );
  verb
    .command('reindex')
    .description('make the list of runs and sessions again from their folders, when state.db was lost')
    .action(async () => await (await import('./runs-reindex.ts')).reindexRuns(context));
  verb
    .command('prune')
    .description('remove the folders of old runs; the ledger keeps its hashes and stays valid')
    .requiredOption('--older-than <days>', 'only runs that ended before this many days')
    .option('--dry-run', 'only say which')
    .action(
      async (flags: { readonly olderThan: string; readonly dryRun?: boolean }) =>
        await (await import('./runs-prune.ts')).pruneRuns(context, flags),
    );
}
