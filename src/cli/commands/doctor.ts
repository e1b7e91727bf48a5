import type { CheckStatus } from '../../ops/run-doctor.ts';
import { counted } from '../../contracts/counted.ts';
import { makeVisible } from '../../governance/visible.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb.action(async () => await doctor(context));
  },
};

async function doctor(context: CommandContext): Promise<void> {
  const { app, io } = context;
  const [{ runDoctor }, { openDoctor }] = await Promise.all([import('../../ops/run-doctor.ts'), import('../open-doctor.ts')]);
  const report = await runDoctor(await openDoctor(app));
  if (!report.ok) context.exit(exitCodes.error);
  const paint: Readonly<Record<CheckStatus, (text: string) => string>> = {
    ok: io.color.green,
    warn: io.color.yellow,
    fail: io.color.red,
    skip: io.color.dim,
  };
  const lines = report.checks.flatMap(({ name, status, message, remedy }) => [
    `${paint[status](status.padEnd(4))} ${name.padEnd(18)} ${makeVisible(message)}`,
    ...(remedy === undefined ? [] : [`${' '.repeat(24)}→ ${makeVisible(remedy)}`]),
  ]);
  const count = (wanted: CheckStatus): number => report.checks.filter(({ status }) => status === wanted).length;
  lines.push(
    `${report.ok ? 'Healthy' : 'Not healthy'}: ${count('fail')} failed, ${counted(count('warn'), 'warning')}, ${count('ok')} ok, ${count('skip')} skipped.`,
  );
  printResult(io, report, lines.join('\n'));
}
