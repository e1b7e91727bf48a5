import fs from 'node:fs/promises';
import path from 'node:path';
import { stopFileName } from '../../worker/stop-file.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { printResult, type CommandContext } from '../command.ts';
import type { RunRow } from '../../state/runs.ts';
import { findRun, liveState } from './find-run.ts';

/** Asks the process that works on the run to end it cleanly, wherever it runs on this home. */
export async function stopRun(context: CommandContext, id: string | undefined): Promise<void> {
  const { app, io } = context;
  const row = await findRun(context, id);
  const state = await liveState(context, row);
  if (state === 'accepted' && row.task === undefined) return await stopQueued(context, row);
  if (state !== 'running') throw new FixRequestError('cli.not-running', `Run ${row.id} is ${state}, so there is nothing to stop.`);
  await fs.writeFile(path.join((await app.home()).runDir(row.tenant, row.id), stopFileName), '', { mode: 0o600 });
  printResult(io, { run: row.id }, askedSentence(row));
}

function askedSentence({ id }: RunRow): string {
  return `Asked run ${id} to stop; it ends after its current step. Continue it later with: clawhold runs resume ${id}`;
}

/** On the queue, and nobody has begun it. */
async function stopQueued({ app, io }: CommandContext, row: RunRow): Promise<void> {
  const [{ openHomeQueue }, { askToStop }] = await Promise.all([import('../resume-on-queue.ts'), import('../stop-run.ts')]);
  await using queue = await openHomeQueue(app);
  const outcome = await askToStop({ home: await app.home(), runs: await app.runs(), queue, nowMs: Date.now() }, row);
  printResult(io, { run: row.id }, outcome === 'cancelled' ? `Run ${row.id} is cancelled; it had not begun.` : askedSentence(row));
}
