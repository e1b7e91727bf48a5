import path from 'node:path';
import type { RunId } from '../contracts/ids.ts';
import { resumeRun } from '../worker/resume-run.ts';
import type { CommandContext } from './command.ts';
import { drive, surfaceOf } from './drive-run.ts';
import { withPersonAsModel } from './drive-tool-call.ts';
import type { RunFlags } from './run-options.ts';

/**
 * Continues a run in this process and shows it as `ask` does. A run that waited for an answer goes on waiting for the
 * next one where no terminal is: somebody answered the first one elsewhere and will answer this one.
 */
export async function resumeWithCli(context: CommandContext, id: RunId, flags: Pick<RunFlags, 'approvals' | 'events'>): Promise<void> {
  const { app, signal } = context;
  const row = (await app.runs()).get(id);
  const approvals = flags.approvals ?? surfaceOf(context, row?.state === 'waiting' ? 'wait' : 'deny');
  const journalFile = path.join((await app.home()).runDir(app.tenant, id), 'journal.jsonl');
  await drive(
    context,
    { ...flags, approvals },
    async (worker) => await resumeRun(await withPersonAsModel(worker, row?.model ?? '', journalFile), id, { signal, approvals }),
  );
}
