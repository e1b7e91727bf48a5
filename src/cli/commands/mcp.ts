import path from 'node:path';
import { mcpPins, type McpPins } from '../../contracts/mcp-pins.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { makeVisible } from '../../governance/visible.ts';
import type { ListedTool, McpServer, PinDifference } from '../../tools/mcp-pin.ts';
import type { LoadedAgent } from '../../worker/load-agent.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { table } from '../io.ts';
import { chooseAgent, localUser } from '../run-options.ts';

interface AgentFlag {
  readonly agent?: string;
}

export const command: CliCommand = {
  configure(verb, context) {
    const agent = ['-a, --agent <name>', 'which agent (default: the only one, or "main")'] as const;
    verb
      .command('list')
      .description("an agent's MCP servers and what is pinned of them; none is started")
      .option(...agent)
      .action(async (flags: AgentFlag) => await list(context, flags));
    verb
      .command('probe <server>')
      .description('start one in its sandbox and compare what it offers with its pin; exit 1 when it differs')
      .option(...agent)
      .action(async (name: string, flags: AgentFlag) => await probe(context, name, flags));
    verb
      .command('pin <server>')
      .description('pin what it offers now: only these tools exist for the agent, and only as they are')
      .option(...agent)
      .action(async (name: string, flags: AgentFlag) => await pin(context, name, flags));
  },
};

async function list(context: CommandContext, flags: AgentFlag): Promise<void> {
  const { loaded } = await load(context, flags);
  const servers = Object.entries(loaded.config.mcp ?? {}).map(([name, { command: argv, hosts = [] }]) => {
    const tools = Object.keys(loaded.mcp?.servers[name]?.tools ?? {});
    return { name, command: argv, hosts, tools };
  });
  const cells = servers.map(({ name, command: argv, hosts, tools }) => [
    name,
    argv.join(' '),
    hosts.join(' ') || 'none',
    tools.join(' ') || 'not pinned',
  ]);
  const text =
    servers.length === 0
      ? `Agent ${loaded.id} has no MCP servers; mcp: in its agent.yaml declares them.`
      : table([['SERVER', 'COMMAND', 'HOSTS', 'PINNED TOOLS'], ...cells]);
  printResult(context.io, { agent: loaded.id, servers }, makeVisible(text, { keepLines: true }));
}

async function probe(context: CommandContext, name: string, flags: AgentFlag): Promise<void> {
  const { tools, differences } = await offered(context, name, flags);
  const lines = [`${name} offers ${tools.length} tool(s): ${tools.map((tool) => tool.name).join(', ')}`, ...differences.map(describe)];
  if (differences.length === 0) lines.push('Everything is as pinned.');
  printResult(context.io, { server: name, tools, differences }, makeVisible(lines.join('\n'), { keepLines: true }));
  if (differences.length > 0) context.exit(exitCodes.error);
}

function describe({ tool, what }: PinDifference): string {
  const said = {
    new: 'is not pinned',
    gone: 'is pinned and no longer offered',
    description: 'has another description',
    parameters: 'has other parameters',
    'bad-name': 'has a name that cannot be used',
  };
  return `  ${tool} ${said[what]}`;
}

async function pin(context: CommandContext, name: string, flags: AgentFlag): Promise<void> {
  const { app, io } = context;
  const { loaded, server, tools } = await offered(context, name, flags);
  const [{ makePin }, { editYamlFile }] = await Promise.all([import('../../tools/mcp-pin.ts'), import('../../state/edit-yaml-file.ts')]);
  const made: McpPins['servers'][string] = makePin(server, tools, loaded.mcp?.servers[name]);
  const file = path.join(loaded.dir, 'mcp.yaml');
  const edited = await editYamlFile(file, mcpPins, (editor) => editor.set(['servers', name], made));
  const before = edited.before === undefined ? {} : { before: edited.before };
  const at = new Date().toISOString();
  const relative = path.relative((await app.home()).dir, file);
  await (
    await app.ledger()
  ).append({ type: 'config.change', at, principal: localUser(context), file: relative, ...before, after: edited.after });
  const names = Object.keys(made.tools);
  const text = `Pinned ${names.length} tool(s) of ${name} in ${file}: ${names.join(', ')}.\nLook at it: effects and roles are the strictest until you narrow them there. Then grant tools in agent.yaml, for example "mcp.${name}.${names[0] ?? 'TOOL'}: {}", and allow "mcp.${name}.*" in policies/platform.yaml.`;
  printResult(io, { server: name, file, tools: names }, makeVisible(text, { keepLines: true }));
}

async function load(context: CommandContext, flags: AgentFlag): Promise<{ readonly loaded: LoadedAgent }> {
  const { app } = context;
  const { loadAgent } = await import('../../worker/load-agent.ts');
  return { loaded: await loadAgent(await app.home(), { tenant: app.tenant, agent: await chooseAgent(context, flags.agent) }) };
}

interface Offered {
  readonly loaded: LoadedAgent;
  readonly server: McpServer;
  readonly tools: readonly ListedTool[];
  readonly differences: readonly PinDifference[];
}

/** Starts the server once, in its sandbox. */
async function offered(context: CommandContext, name: string, flags: AgentFlag): Promise<Offered> {
  const { loaded } = await load(context, flags);
  const servers = loaded.config.mcp ?? {};
  const server = Object.hasOwn(servers, name) ? servers[name] : undefined;
  if (server === undefined) {
    const known = Object.keys(servers).join(', ') || 'it has none';
    throw new FixRequestError(
      'cli.unknown-mcp-server',
      `Agent ${loaded.id} has no MCP server ${JSON.stringify(name)} (${known}). Declare it under mcp: in its agent.yaml.`,
    );
  }
  const [{ probeMcpServer }, start] = await Promise.all([import('../../tools/mcp.ts'), context.app.mcpStarter(loaded)]);
  const known = loaded.mcp?.servers[name];
  const found = await probeMcpServer(start(name, server), known === undefined ? {} : { pin: known });
  return { loaded, server, ...found };
}
