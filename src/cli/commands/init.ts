import { parseAgentId } from '../../contracts/ids.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';

interface InitFlags {
  readonly agent: string;
  readonly template: string;
}

/** For who has only the scripted model yet. */
const realModel = [
  'A real model, one of:',
  '  export OPENAI_API_KEY=…          then: clawhold config set model openai/gpt-4o-mini',
  '  export ANTHROPIC_API_KEY=…       then: clawhold config set model anthropic/claude-haiku-4-5',
  '  ollama pull qwen3:4b             then: clawhold config set model ollama/qwen3:4b',
];

function nextSteps({ app }: CommandContext, agent: string): string[] {
  const tenant = app.tenant === 'default' ? '' : ` --tenant ${app.tenant}`;
  return [
    '',
    'Next:',
    `  clawhold ask${tenant}${agent === 'main' ? '' : ` --agent ${agent}`} "hello"`,
    `  clawhold agents show${tenant} ${agent}`,
  ];
}

/** Another tenant than `default` must be there already, so its home is too. @throws FixRequestError otherwise. */
async function rootFor({ app }: CommandContext, folder: string): Promise<string> {
  if (app.tenant === 'default') return folder;
  const [{ homeAt }, { openTenants }, path] = await Promise.all([
    import('../../state/home.ts'),
    import('../../state/tenants.ts'),
    import('node:path'),
  ]);
  openTenants(homeAt(path.join(folder, '.clawhold'))).existing(app.tenant);
  return folder;
}

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .argument('[folder]', 'where to make .clawhold', '.')
      .option('-a, --agent <name>', 'name of the first agent', 'main')
      .option('-t, --template <name>', 'what it may do: small-box, scribe, builder or scout', 'small-box');
    verb.action(async (folder: string, flags: InitFlags) => {
      const { app, io } = context;
      const path = await import('node:path');
      const agent = parseAgentId(flags.agent);
      const { chooseTemplate, makeAgent } = await import('../make-agent.ts');
      chooseTemplate(flags.template);
      const [{ createHome }, { fillHome }, { detectModels }, fs] = await Promise.all([
        import('../../state/home.ts'),
        import('../make-home.ts'),
        import('../../models/detect.ts'),
        import('node:fs/promises'),
      ]);
      const detected = await detectModels({ env: app.env });
      const home = createHome(await rootFor(context, path.resolve(app.cwd, folder)));
      const made = await fillHome(home, detected);
      const dir = await makeAgent(home, { tenant: app.tenant, agent, template: flags.template });
      await fs.mkdir(path.join(home.tenantRoot(app.tenant), 'workspace'), { recursive: true });
      const lines = [
        `Made ${home.dir} with the agent "${agent}" (template ${flags.template}).`,
        detected.sentence,
        ...nextSteps(context, agent),
        ...(detected.isScripted ? ['', ...realModel] : []),
        '',
        `Who it is and what it may do stands in ${path.join(path.relative(app.cwd, dir) || '.', 'SOUL.md')} and agent.yaml beside it.`,
      ];
      printResult(
        io,
        { home: home.dir, agent, template: flags.template, model: detected.model, isScripted: detected.isScripted, made, agentDir: dir },
        lines.join('\n'),
      );
    });
  },
};
