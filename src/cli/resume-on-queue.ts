import path from 'node:path';
import { systemClock } from '../contracts/clock.ts';
import type { ApprovalId, RunId } from '../contracts/ids.ts';
import { silentLog } from '../contracts/log.ts';
import type { RunItem } from '../contracts/run.ts';
import { admitResume } from '../control/admit-resume.ts';
import { openQueue } from '../state/open-queue.ts';
import type { Queue } from '../state/queue.ts';
import type { App } from './app.ts';
import { openAdmission } from './open-admission.ts';

/** The queue of the home, for one command. */
export async function openHomeQueue(app: App): Promise<Queue> {
  return await openQueue({ driver: 'sqlite', file: path.join((await app.home()).dir, 'queue.db'), clock: systemClock });
}

/**
 * Puts a run whose question was answered on the queue: whoever serves the home goes on with it. Only for a run that came
 * from the queue; one of a command is continued by a command. Resolves with whether it was put.
 */
export async function resumeOnQueue(
  app: App,
  by: RunItem['principal'],
  { run, approval }: { readonly run: RunId; readonly approval: ApprovalId },
): Promise<boolean> {
  if ((await app.runs()).get(run)?.task === undefined) return false;
  const [home, database] = await Promise.all([app.home(), app.database()]);
  await using queue = await openHomeQueue(app);
  const admission = openAdmission({ home, database, queue, clock: systemClock, log: silentLog, appOf: () => app });
  const { outcome } = await admitResume(admission, { ...by, tenant: app.tenant, roles: ['admin'] }, { run, approval });
  return outcome === 'admitted';
}
