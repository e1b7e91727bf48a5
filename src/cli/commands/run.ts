import { FixRequestError } from '../../contracts/errors.ts';
import type { CliCommand } from '../command.ts';
import { driveItem } from '../drive-run.ts';
import { readAll } from '../io.ts';
import { addRunFlags, chooseAgent, itemFromFlags, type RunFlags } from '../run-options.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb.argument('[task...]', 'instead of the standing task in agent.yaml; "-" reads it from standard input');
    addRunFlags(verb);
    verb.action(async (words: string[], flags: RunFlags) => {
      const { app, io } = context;
      const agent = await chooseAgent(context, flags.agent);
      const given = words.length === 1 && words[0] === '-' ? await readAll(io.stdin) : words.join(' ');
      const { loadAgent } = await import('../../worker/load-agent.ts');
      const task = given.trim() === '' ? (await loadAgent(await app.home(), { tenant: app.tenant, agent })).config.task : given;
      if (task === undefined)
        throw new FixRequestError(
          'cli.no-task',
          `Agent ${agent} has no standing task. Add "task:" to its agent.yaml, or give one: clawhold run --agent ${agent} "…".`,
        );
      await driveItem(context, await itemFromFlags(context, { ...flags, agent }, task), flags);
    });
  },
};
