import { FixRequestError } from '../../contracts/errors.ts';
import { runsCommands, type ToolDeclaration } from '../../contracts/tool.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { addRunFlags, chooseAgent, itemFromFlags, type RunFlags } from '../run-options.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('list')
      .description('every tool there is, and what it does to the world')
      .action(async () => await list(context));
    verb
      .command('show <tool>')
      .description("a tool's arguments, effects and labels")
      .action(async (name: string) => await show(context, name));
    const call = verb
      .command('call <tool>')
      .description("call one tool with an agent's rights: decided and recorded as in a run")
      .requiredOption('--args <json>', 'the arguments as JSON');
    addRunFlags(call);
    call.action(async (name: string, flags: RunFlags & { readonly args: string }) => await callTool(context, name, flags));
  },
};

async function allTools(): Promise<readonly ToolDeclaration[]> {
  const { describeCoreTools } = await import('../../tools/tool-set.ts');
  return describeCoreTools();
}

async function list({ io }: CommandContext): Promise<void> {
  const tools = await allTools();
  const rows = tools.map(({ name, effects, summary, recovery, args, minimumClass }) => ({
    name,
    effects,
    summary,
    recovery,
    sandbox: minimumClass ?? (runsCommands({ args }) ? 'namespace' : 'none'),
  }));
  printResult(
    io,
    { tools: rows },
    table([
      ['TOOL', 'EFFECTS', 'SANDBOX', 'WHAT IT DOES'],
      ...rows.map((row) => [row.name, row.effects.join(' '), row.sandbox, row.summary]),
    ]),
  );
}

async function show({ io }: CommandContext, name: string): Promise<void> {
  const tools = await allTools();
  const tool = tools.find((one) => one.name === name);
  if (tool === undefined)
    throw new FixRequestError(
      'cli.unknown-tool',
      `There is no tool ${JSON.stringify(name)}. Use one of: ${tools.map((one) => one.name).join(', ')}.`,
    );
  const { summary, parameters, effects, args, structured, recovery } = tool;
  const lines = [
    `${name}: ${summary}`,
    `effects    ${effects.join(' ')}`,
    `recovery   ${recovery}`,
    `structured ${structured.join(' ') || 'nothing'}`,
    ...Object.entries(args).map(
      ([arg, declared]) =>
        `argument   ${arg}: ${declared.role}${declared.kind === undefined ? '' : `, ${declared.kind}`}${declared.access === undefined ? '' : `, ${declared.access}`}`,
    ),
    JSON.stringify(parameters, null, 2),
  ];
  printResult(io, { name, summary, parameters, effects, args, structured, recovery }, lines.join('\n'));
}

async function callTool(context: CommandContext, name: string, flags: RunFlags & { readonly args: string }): Promise<void> {
  try {
    JSON.parse(flags.args);
  } catch (cause) {
    throw new FixRequestError(
      'cli.bad-json',
      `--args is not JSON: ${(cause as Error).message}. Give an object, for example --args '{"path": "README.md"}'.`,
      { cause },
    );
  }
  const agent = await chooseAgent(context, flags.agent);
  const { driveToolCall, toolCallMessage } = await import('../drive-tool-call.ts');
  const item = await itemFromFlags(context, { ...flags, agent }, toolCallMessage(name, flags.args));
  await driveToolCall(context, { item, flags, tool: name, argumentsText: flags.args });
}
