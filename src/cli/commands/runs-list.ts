import { FixRequestError } from '../../contracts/errors.ts';
import { parseAgentId, parseRunId, parseSessionId } from '../../contracts/ids.ts';
import { runStates, type RunState } from '../../contracts/run.ts';
import { makeVisible } from '../../governance/visible.ts';
import { printResult, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import type { ListFlags } from './runs.ts';
import { liveState } from './find-run.ts';

export async function listRuns(context: CommandContext, flags: ListFlags): Promise<void> {
  const { app, io } = context;
  const state = stateFilter(flags.state);
  const limit = Number(flags.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new FixRequestError(
      'cli.bad-number',
      `--limit was given ${JSON.stringify(flags.limit)}, which is not a whole number from 1 to 1000. Correct it.`,
    );
  const rows = (await app.runs()).list({
    tenant: app.tenant,
    limit,
    ...(flags.agent === undefined ? {} : { agent: parseAgentId(flags.agent) }),
    ...(flags.session === undefined ? {} : { session: parseSessionId(flags.session) }),
    ...(flags.before === undefined ? {} : { before: parseRunId(flags.before) }),
    ...(state === undefined ? {} : { state }),
  });
  const shown = [];
  for (const row of rows) {
    const now = await liveState(context, row);
    if (flags.state === undefined || flags.state === now) shown.push({ ...row, state: now });
  }
  const cells = shown.map((row) => [
    row.id,
    row.state,
    row.agent,
    new Date(row.createdMs).toISOString().slice(0, 19),
    `${row.turns}/${row.toolCalls}`,
    makeVisible(row.inputPreview.slice(0, 60)),
  ]);
  printResult(
    io,
    { runs: shown },
    shown.length === 0 ? 'No runs.' : table([['RUN', 'STATE', 'AGENT', 'STARTED (UTC)', 'TURNS/CALLS', 'INPUT'], ...cells]),
  );
}

function stateFilter(state: string | undefined): RunState | undefined {
  if (state === undefined) return undefined;
  if (state === 'interrupted') return 'running';
  const known = runStates.find((one) => one === state);
  if (known === undefined)
    throw new FixRequestError(
      'cli.bad-state',
      `There is no state ${JSON.stringify(state)}. Use one of: ${runStates.join(', ')}, interrupted.`,
    );
  return known;
}
