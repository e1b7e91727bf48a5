import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { openStatus } from '../open-status.ts';
import { renderStatus } from '../render-status.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb.action(async () => await status(context));
  },
};

async function status(context: CommandContext): Promise<void> {
  const { readStatus } = await import('../../ops/read-status.ts');
  const report = await readStatus(await openStatus(context.app));
  if (report.server.state === 'not-ready') context.exit(exitCodes.error);
  printResult(context.io, { ok: report.server.state !== 'not-ready', ...report }, renderStatus(report, context.io.color));
}
