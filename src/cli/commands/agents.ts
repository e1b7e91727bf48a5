import type { SandboxFacts } from '../../contracts/isolation.ts';
import { parseAgentId } from '../../contracts/ids.ts';
import { count } from '../describe-totals.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('list')
      .description('agents and what they are for')
      .action(async () => await list(context));
    verb
      .command('show <name>')
      .description("one agent's configuration, files and prompt size")
      .action(async (name: string) => await show(context, name));
    verb
      .command('new <name>')
      .description('make an agent from a template')
      .option('-t, --template <name>', 'small-box, scribe, builder or scout', 'small-box')
      .action(async (name: string, flags: { readonly template: string }) => await make(context, name, flags.template));
    verb
      .command('validate [name]')
      .description('check configuration, grants, examples and files of one agent or all')
      .action(async (name: string | undefined) => await validate(context, name));
  },
};

async function list({ app, io }: CommandContext): Promise<void> {
  const { listAgents, loadAgent } = await import('../../worker/load-agent.ts');
  const home = await app.home();
  const rows = await Promise.all(
    (await listAgents(home, app.tenant)).map(async (name) => {
      const { config } = await loadAgent(home, { tenant: app.tenant, agent: parseAgentId(name) });
      return { name, description: config.description ?? '', grants: Object.keys(config.grants ?? {}) };
    }),
  );
  const text =
    rows.length === 0
      ? 'No agents yet. Make one with "clawhold agents new NAME".'
      : table([['NAME', 'GRANTS', 'DESCRIPTION'], ...rows.map((row) => [row.name, row.grants.join(' ') || 'none', row.description])]);
  printResult(io, { agents: rows }, text);
}

async function show({ app, io }: CommandContext, name: string): Promise<void> {
  const { inspectAgent } = await import('../inspect-agent.ts');
  const facts = await inspectAgent(app, parseAgentId(name));
  const lines = [
    `${facts.agent}: ${facts.config.description ?? 'no description'}`,
    `folder      ${facts.dir}`,
    `workspace   ${facts.workspace}`,
    ...facts.roots.map((root) => `root        ${root.name}: ${root.dir} (read-only)`),
    `model       ${facts.config.model ?? `${(await app.config()).model ?? 'none'} (from clawhold.yaml)`}`,
    ...grantLines(facts.config.grants ?? {}),
    `tools       ${facts.tools.join(', ') || 'none'}`,
    ...(facts.sandbox === undefined ? [] : [`sandbox     ${describeSandbox(facts.sandbox)}`]),
    `prompt      ${facts.promptBytes} bytes with tool schemas`,
    ...facts.parts.map((part) => `            ${part.name}  ${part.sha256.slice(0, 12)}${part.cut ? '  CUT at its limit' : ''}`),
  ];
  printResult(io, facts, lines.join('\n'));
}

/** One line a grant, as `agent.yaml` has it: what a human allowed. */
function grantLines(grants: object): string[] {
  const shown = Object.entries(grants).map(
    ([tool, bounds]) => `${tool}${JSON.stringify(bounds) === '{}' ? '' : `  ${JSON.stringify(bounds)}`}`,
  );
  return (shown.length === 0 ? ['none: every call is denied'] : shown).map(
    (line, index) => `${index === 0 ? 'grants' : '      '}      ${line}`,
  );
}

function describeSandbox(facts: SandboxFacts): string {
  return facts.available ? `${facts.driver}, class ${facts.isolation}, network ${facts.network}` : `none: ${facts.reason}`;
}

async function make({ app, io }: CommandContext, name: string, template: string): Promise<void> {
  const { makeAgent } = await import('../make-agent.ts');
  const agent = parseAgentId(name);
  const dir = await makeAgent(await app.home(), { tenant: app.tenant, agent, template });
  printResult(io, { agent, template, dir }, `Made the agent "${agent}" in ${dir}.\nTry it: clawhold ask --agent ${agent} "hello"`);
}

async function validate({ app, io }: CommandContext, name: string | undefined): Promise<void> {
  const { listAgents } = await import('../../worker/load-agent.ts');
  const { inspectAgent } = await import('../inspect-agent.ts');
  const names = name === undefined ? await listAgents(await app.home(), app.tenant) : [name];
  const checked = [];
  for (const one of names) checked.push(await inspectAgent(app, parseAgentId(one)));
  const cut = checked.flatMap((facts) =>
    facts.parts.filter((part) => part.cut).map((part) => `${facts.agent}: ${part.name} is longer than its limit and will be cut.`),
  );
  printResult(
    io,
    { agents: checked.map((facts) => facts.agent), warnings: cut },
    [
      ...cut,
      checked.length === 0
        ? 'There is no agent yet. Make one with "clawhold agents new NAME".'
        : `${count(checked.length, 'agent')} checked, all valid: ${checked.map((facts) => facts.agent).join(', ')}.`,
    ].join('\n'),
  );
}
