import type { RunId } from '../contracts/ids.ts';
import { resumeRun } from '../worker/resume-run.ts';
import type { CommandContext } from './command.ts';
import { drive, surfaceOf } from './drive-run.ts';
import type { RunFlags } from './run-options.ts';

/**
 * Continues a run in this process and shows it as `ask` does. A run that waited for an answer goes on waiting for the
 * next one where no terminal is: somebody answered the first one elsewhere and will answer this one.
 */
export async function resumeWithCli(context: CommandContext, id: RunId, flags: Pick<RunFlags, 'approvals' | 'events'>): Promise<void> {
  const isWaiting = (await context.app.runs()).get(id)?.state === 'waiting';
  const approvals = flags.approvals ?? surfaceOf(context, isWaiting ? 'wait' : 'deny');
  await drive(context, { ...flags, approvals }, async (worker) => await resumeRun(worker, id, { signal: context.signal, approvals }));
}
