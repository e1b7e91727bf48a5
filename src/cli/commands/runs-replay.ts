import { count } from '../describe-totals.ts';
import fs from 'node:fs/promises';
import { FixRequestError } from '../../contracts/errors.ts';
import { compilePolicy } from '../../governance/policy-snapshot.ts';
import { compileOptions } from '../../worker/compile-options.ts';
import { replayRun } from '../../worker/replay-run.ts';
import { agentPolicySource } from '../../worker/policy-sources.ts';
import { printResult, type CommandContext } from '../command.ts';
import { agentOfRun } from './runs-changes.ts';
import { findRun } from './find-run.ts';

/** Replays a run and says whether everything came out the same; exit 1 when it did not. */
export async function replayWithCli(context: CommandContext, id: string | undefined, policyFile: string | undefined): Promise<void> {
  const { app, io } = context;
  const row = await findRun(context, id);
  const worker = await app.worker({ emit: () => {}, surface: 'deny' });
  const policy = policyFile === undefined ? undefined : await proposedPolicy(context, row, policyFile);
  const report = await replayRun(worker, row.id, policy);
  const lines = [
    `${report.isIdentical ? io.color.green('identical') : io.color.red('DIFFERENT')}: ${report.prompts.length} prompts and ${report.decisions.length} decisions of ${row.id}`,
    ...report.prompts
      .filter((one) => one.recorded !== one.replayed)
      .map((one) => `  prompt of turn ${one.turn}: recorded ${one.recorded.slice(0, 12)}, now ${one.replayed.slice(0, 12)}`),
    ...report.decisions
      .filter((one) => !one.isIdentical)
      .map((one) => `  decision ${one.call} ${one.tool}: recorded ${one.recorded.slice(0, 12)}, now ${one.replayed.slice(0, 12)}`),
    ...(report.recordedBy === report.replayedBy ? [] : [`recorded by build ${report.recordedBy}, replayed by ${report.replayedBy}`]),
    ...(report.endedEarly === undefined ? [] : [report.endedEarly]),
    ...(policyFile === undefined ? [] : [`with ${policyFile}: ${count(report.changed.length, 'call')} would be decided otherwise`]),
    ...report.changed.map((one) => `  ${one.call} ${one.tool}: ${one.was} -> ${one.would} (${one.reason})`),
  ];
  printResult(io, report, lines.join('\n'));
  if (!report.isIdentical) context.exit(1);
}

/** The run's other layers as they are now, with this file in the tenant's place. */
async function proposedPolicy(
  context: CommandContext,
  row: Awaited<ReturnType<typeof findRun>>,
  file: string,
): Promise<ReturnType<typeof compilePolicy>> {
  const { app } = context;
  const text = await fs.readFile(file, 'utf8').catch((cause: unknown) => {
    throw new FixRequestError('cli.no-policy-file', `The policy file ${file} cannot be read. Give the path of a policy file.`, { cause });
  });
  const others = (await app.policyFiles()).filter((source) => source.layer !== 'tenant');
  const agent = await agentOfRun(context, row, undefined);
  await using tools = await app.openTools(agent);
  const sources = [...others, { layer: 'tenant' as const, file, text }, await agentPolicySource(await app.home(), agent)];
  return compilePolicy(sources, compileOptions(tools));
}
