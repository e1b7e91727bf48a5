import { FixRequestError } from '../../contracts/errors.ts';
import { makeVisible } from '../../governance/visible.ts';
import { openDeliveries } from '../../state/deliveries.ts';
import { printResult, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { firingView } from '../../control/job-view.ts';
import { jobsContext } from './cron-jobs.ts';

/** What became of slots, also of jobs that were removed. */
export async function showHistory(context: CommandContext, id: string | undefined, limitText: string): Promise<void> {
  const { app, io } = context;
  const limit = Number(limitText);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new FixRequestError(
      'cli.bad-number',
      `--limit was given ${JSON.stringify(limitText)}, which is not a whole number from 1 to 1000. Correct it.`,
    );
  const { schedules } = await jobsContext(context);
  const deliveries = openDeliveries(await app.database());
  const rows = schedules.history({ tenant: app.tenant, limit, ...(id === undefined ? {} : { job: id }) });
  const views = rows.map((row) => {
    const sent = row.run === undefined ? undefined : deliveries.ofRun(row.run);
    const delivery = sent === undefined ? null : { id: sent.id, state: sent.state, attempts: sent.attempts, reason: sent.reason };
    return Object.assign(firingView(row), { delivery });
  });
  const cells = views.map(({ job, slot, isManual, state, runState, run, reason, delivery }) => [
    slot,
    job,
    isManual ? 'by hand' : 'slot',
    runState ?? state,
    run ?? '',
    delivery === null ? '' : delivery.state,
    makeVisible(delivery?.state === 'failed' ? delivery.reason : reason).slice(0, 100),
  ]);
  const text =
    views.length === 0 ? 'Nothing has been due yet.' : table([['SLOT', 'JOB', 'BY', 'STATE', 'RUN', 'OUTPUT', 'REASON'], ...cells]);
  printResult(io, { firings: views }, text);
}
