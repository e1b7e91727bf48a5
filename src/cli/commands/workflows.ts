import type { CliCommand } from '../command.ts';

/** Each verb's code is read only when it is used. A passage is written down here, and goes on while a server runs. */
export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('list')
      .description("the tenant's workflows and their agents")
      .action(async () => await (await import('./workflow-passages.ts')).listAll(context));
    verb
      .command('run <name> [input...]')
      .description('begin a workflow; the input stands for {{input}} in its messages')
      .action(
        async (name: string, words: string[]) => await (await import('./workflow-passages.ts')).begin(context, name, words.join(' ')),
      );
    verb
      .command('show <passage>')
      .description('one passage through a workflow, step by step')
      .action(async (id: string) => await (await import('./workflow-passages.ts')).showPassage(context, id));
    verb
      .command('history')
      .description('passages, newest first')
      .option('-n, --limit <n>', 'how many', '20')
      .action(
        async (flags: { readonly limit: string }) => await (await import('./workflow-passages.ts')).showPassages(context, flags.limit),
      );
  },
};
