import type { CliCommand } from '../command.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb.argument('[folder]', 'what the agent explores, read-only', '.').option('--keep', 'keep the throw-away home');
    verb.action(
      async (folder: string, flags: { readonly keep?: boolean }) =>
        await (await import('../run-demo.ts')).runDemo(context, folder, flags.keep === true),
    );
  },
};
