import type { RunId } from '../contracts/ids.ts';
import { resumeRun } from '../worker/resume-run.ts';
import type { CommandContext } from './command.ts';
import { drive } from './drive-run.ts';
import type { RunFlags } from './run-options.ts';

/** Continues a run in this process and shows it as `ask` does. */
export async function resumeWithCli(context: CommandContext, id: RunId, flags: Pick<RunFlags, 'approvals' | 'events'>): Promise<void> {
  await drive(
    context,
    flags,
    async (worker) => await resumeRun(worker, id, { signal: context.signal, approvals: flags.approvals ?? 'terminal' }),
  );
}
