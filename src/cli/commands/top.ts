import { setTimeout as sleep } from 'node:timers/promises';
import { FixRequestError } from '../../contracts/errors.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { openStatus } from '../open-status.ts';
import { renderStatus } from '../render-status.ts';

interface TopFlags {
  readonly once?: boolean;
  readonly interval: string;
}

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .option('--once', 'one frame; so it is without a terminal, and with --json')
      .option('--interval <seconds>', 'between two frames', '1')
      .action(async (flags: TopFlags) => await top(context, flags));
  },
};

async function top(context: CommandContext, flags: TopFlags): Promise<void> {
  const { app, io, signal } = context;
  const seconds = Number(flags.interval);
  if (!(seconds >= 0.2 && seconds <= 3600))
    throw new FixRequestError(
      'cli.bad-number',
      `--interval was given ${JSON.stringify(flags.interval)}, which is not a number from 0.2 to 3600. Correct it.`,
    );
  const { readStatus } = await import('../../ops/read-status.ts');
  for (;;) {
    const report = await readStatus(await openStatus(app));
    if (flags.once === true || io.isJson || io.clear === undefined) return printResult(io, report, renderStatus(report, io.color));
    io.clear();
    printResult(io, report, `${renderStatus(report, io.color)}\n\n${io.color.dim('Press Ctrl-C to end.')}`);
    const isOver = await sleep(seconds * 1000, false, { signal }).catch(() => true);
    if (isOver) return;
  }
}
