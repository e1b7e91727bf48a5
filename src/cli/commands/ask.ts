import { FixRequestError } from '../../contracts/errors.ts';
import type { CliCommand } from '../command.ts';
import { driveItem } from '../drive-run.ts';
import { readAll } from '../io.ts';
import { addRunFlags, itemFromFlags, type RunFlags } from '../run-options.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb.argument('<message...>', 'what to say; "-" reads it from standard input');
    addRunFlags(verb);
    verb.action(async (words: string[], flags: RunFlags) => {
      const message = words.length === 1 && words[0] === '-' ? await readAll(context.io.stdin) : words.join(' ');
      if (message.trim() === '')
        throw new FixRequestError(
          'cli.empty-message',
          'The message is empty, so there is nothing to ask. Give it as an argument, or on standard input with "-".',
        );
      await driveItem(context, await itemFromFlags(context, flags, message), flags);
    });
  },
};
