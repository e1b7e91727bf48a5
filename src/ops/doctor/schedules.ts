import fs from 'node:fs';
import { counted } from '../../contracts/counted.ts';
import { openDatabaseForReading } from '../../state/database.ts';
import { openDeliveries } from '../../state/deliveries.ts';
import { openSchedules, type JobRow, type Schedules } from '../../state/schedules.ts';
import { readServeState } from '../../state/serve-file.ts';
import { firstOf, ok, skip, warn, type Check } from './check.ts';

export const schedules: Check = {
  name: 'schedules',
  run: ({ home }) => {
    if (!fs.existsSync(home.databaseFile)) return skip('No jobs are scheduled.');
    using database = openDatabaseForReading(home.databaseFile);
    const store = openSchedules(database);
    const jobs = store.list();
    if (jobs.length === 0) return skip('No jobs are scheduled.');
    const looping = jobs.filter(({ pauseReason, deaths }) => pauseReason !== undefined && deaths.length > 0).map(nameOf);
    if (looping.length > 0)
      return warn(
        `Job ${firstOf(looping)} is paused, because processes kept dying with its runs.`,
        'clawhold cron show says when; find out why, then: clawhold cron resume.',
      );
    const active = jobs.filter(({ pauseReason }) => pauseReason === undefined);
    const refused = active.flatMap((row) => lastRefusal(store, row));
    if (refused.length > 0) return warn(firstOf(refused), 'Correct what it names; clawhold cron run starts the job at once.');
    const deliveries = openDeliveries(database);
    const undelivered = active.filter((row) => deliveries.ofRun(lastOf(store, row)?.run ?? ('' as never))?.state === 'failed').map(nameOf);
    if (undelivered.length > 0)
      return warn(`The last output of job ${firstOf(undelivered)} reached nobody.`, 'clawhold cron history says why; correct its notify.');
    if (active.length > 0 && !readServeState(home.dir).isAlive)
      return warn(`${counted(active.length, 'job')} cannot start, because no server runs on this home.`, 'Start clawhold serve.');
    return ok(`${counted(jobs.length, 'job')}, ${jobs.length - active.length} of them paused by hand; no last start was refused.`);
  },
};

function nameOf({ id, tenant }: JobRow): string {
  return `${id} of tenant ${tenant}`;
}

function lastOf(store: Schedules, { tenant, id }: JobRow): ReturnType<Schedules['firing']> {
  return store.history({ tenant, job: id, limit: 1 })[0];
}

function lastRefusal(store: Schedules, row: JobRow): string[] {
  const last = lastOf(store, row);
  return last?.state === 'refused' ? [`The last start of job ${nameOf(row)} was refused: ${last.reason.replace(/\.$/, '')}.`] : [];
}
