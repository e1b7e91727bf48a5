import { FixRequestError } from '../../contracts/errors.ts';
import { parseRunId } from '../../contracts/ids.ts';
import type { RunRow } from '../../state/runs.ts';
import type { CommandContext } from '../command.ts';

/** The named run, or the latest one. @throws FixRequestError when there is none. */
export async function findRun({ app }: CommandContext, id: string | undefined): Promise<RunRow> {
  const runs = await app.runs();
  const row = id === undefined || id === 'last' ? runs.latest({ tenant: app.tenant }) : runs.get(parseRunId(id));
  if (row !== undefined) return row;
  const what =
    id === undefined || id === 'last'
      ? 'There are no runs yet. Start one with "clawhold ask".'
      : `There is no run ${id}. "clawhold runs list" shows what there is.`;
  throw new FixRequestError('cli.unknown-run', what);
}

/** The state as people should read it: a run whose process is gone is interrupted, whatever its row says. */
export async function liveState({ app }: CommandContext, row: RunRow): Promise<string> {
  if (row.state !== 'running' || row.owner === undefined) return row.state;
  const { isClaimAlive } = await import('../../governance/ledger.ts');
  return isClaimAlive((await app.home()).ledgerDir(row.tenant), row.owner) ? 'running' : 'interrupted';
}
