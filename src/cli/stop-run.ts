import fs from 'node:fs/promises';
import path from 'node:path';
import { taskIdOf } from '../contracts/task.ts';
import type { Home } from '../state/home.ts';
import type { Queue } from '../state/queue.ts';
import type { RunRow, Runs } from '../state/runs.ts';
import { stopFileName } from '../worker/stop-file.ts';

export interface StopRunContext {
  readonly home: Home;
  readonly runs: Pick<Runs, 'update'>;
  readonly queue: Pick<Queue, 'remove'>;
  readonly nowMs: number;
}

/** Asks whoever works on the run to end it cleanly, in whatever process; one that nobody has begun is cancelled at once. */
export async function askToStop(ctx: StopRunContext, row: RunRow): Promise<'asked' | 'cancelled' | 'not-running'> {
  if (row.state !== 'accepted' && row.state !== 'running') return 'not-running';
  // A leased task is left on the queue: then somebody may be about to begin it.
  const task = taskIdOf(row.id);
  if (row.state === 'accepted' && (await ctx.queue.remove({ tenant: row.tenant, task })) > 0) {
    ctx.runs.update(row.id, { state: 'cancelled', reason: 'it was stopped before it began', endedMs: ctx.nowMs });
    return 'cancelled';
  }
  const dir = ctx.home.runDir(row.tenant, row.id);
  await fs.mkdir(dir, { recursive: true, mode: 0o700 });
  await fs.writeFile(path.join(dir, stopFileName), '', { mode: 0o600 });
  return 'asked';
}
