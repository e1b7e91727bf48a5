import type { CliCommand } from '../command.ts';
import type { DemoFlags } from '../run-demo.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .argument('[folder]', 'what the agent explores, read-only', '.')
      .option('--keep', 'keep the throw-away home')
      .option('--serve', 'on a terminal, go on serving after it');
    verb.action(async (folder: string, flags: DemoFlags) => await (await import('../run-demo.ts')).runDemo(context, folder, flags));
  },
};
