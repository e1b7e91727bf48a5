import fs from 'node:fs/promises';
import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import { parseAgentId, type AgentId } from '../../contracts/ids.ts';
import type { JsonObject, JsonValue } from '../../contracts/json.ts';
import type { LayerName } from '../../contracts/policy.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { chooseAgent } from '../run-options.ts';
import { openPolicyContext } from '../open-policy-context.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('show')
      .description("the three layers that an agent's calls pass")
      .option('-a, --agent <name>', 'which agent')
      .action(async (flags: AgentFlag) => await show(context, flags));
    verb
      .command('explain [run] [call]')
      .description('why a call was decided so: of a run, or one that --tool and --args describe')
      .option('-a, --agent <name>', 'which agent')
      .option('--tool <name>', 'the tool of a call that was not made')
      .option('--args <json>', 'its arguments as JSON', '{}')
      .action(
        async (run: string | undefined, call: string | undefined, flags: ExplainFlags) => await explain(context, { ...flags, run, call }),
      );
    verb
      .command('check')
      .description('compile every policy file and check its examples; exit 2 when one fails')
      .action(async () => await check(context));
    verb
      .command('simulate <file>')
      .description('which recorded calls a proposed policy file would decide otherwise; exit 1 when there are any')
      .option('--layer <name>', 'the layer the file is meant for: platform, tenant or agent', 'tenant')
      .option('-a, --agent <name>', 'only calls of this agent')
      .option('--run <id>', 'only calls of this run')
      .action(async (file: string, flags: SimulateFlags) => await simulate(context, file, flags));
  },
};

interface AgentFlag {
  readonly agent?: string;
}
type ExplainFlags = AgentFlag & { readonly tool?: string; readonly args: string };
type SimulateFlags = AgentFlag & { readonly run?: string; readonly layer: string };

async function show(context: CommandContext, flags: AgentFlag): Promise<void> {
  const { renderPolicy, showPolicy } = await import('./policy-show.ts');
  const shown = await showPolicy(await openPolicyContext(context), await chooseAgent(context, flags.agent));
  printResult(context.io, shown, renderPolicy(shown));
}

async function explain(
  context: CommandContext,
  { run, call, tool, args, agent }: ExplainFlags & { readonly run: string | undefined; readonly call: string | undefined },
): Promise<void> {
  const { explainCall, explainRecorded, renderExplanation } = await import('./policy-explain.ts');
  const policy = await openPolicyContext(context);
  if ((run === undefined) === (tool === undefined)) {
    throw new FixRequestError(
      'cli.what-to-explain',
      'It is not clear what to explain: give a RUN and perhaps one of its calls, or --tool with --args.',
    );
  }
  const explanation =
    tool === undefined
      ? await explainRecorded(policy, run ?? '', call)
      : await explainCall(policy, { tool, args: parseArgs(args), agent: await chooseAgent(context, agent) });
  printResult(context.io, explanation, renderExplanation(explanation));
}

async function check(context: CommandContext): Promise<void> {
  const { checkPolicy, renderCheck } = await import('./policy-check.ts');
  const result = await checkPolicy(await openPolicyContext(context));
  printResult(context.io, result, renderCheck(result));
  if (!result.isGood) context.exit(2);
}

async function simulate(context: CommandContext, file: string, flags: SimulateFlags): Promise<void> {
  const { renderSimulation, simulateProposal } = await import('./policy-simulate.ts');
  const text = await fs.readFile(path.resolve(context.app.cwd, file), 'utf8').catch((cause: unknown) => {
    throw new FixRequestError('cli.no-policy-file', `The policy file ${file} cannot be read. Give the path of a policy file.`, { cause });
  });
  const agent: AgentId | undefined = flags.agent === undefined ? undefined : parseAgentId(flags.agent);
  const simulation = await simulateProposal(
    await openPolicyContext(context),
    { layer: layerFrom(flags), file, text },
    { ...(agent === undefined ? {} : { agent }), ...(flags.run === undefined ? {} : { run: flags.run }) },
  );
  printResult(context.io, simulation, renderSimulation(simulation));
  if (simulation.changed.length > 0) context.exit(1);
}

/** A file for the agent layer speaks of one agent, so the calls must be that agent's. */
function layerFrom({ layer, agent }: SimulateFlags): LayerName {
  if (layer === 'platform' || layer === 'tenant') return layer;
  if (layer === 'agent' && agent !== undefined) return layer;
  const what = layer === 'agent' ? 'The layer agent needs --agent NAME' : `${JSON.stringify(layer)} is no layer`;
  throw new FixRequestError(
    'cli.bad-layer',
    `${what}: an agent's file decides about its own calls only. Use platform, tenant, or agent with --agent.`,
  );
}

function parseArgs(text: string): JsonObject {
  let value: JsonValue;
  try {
    value = JSON.parse(text) as JsonValue;
  } catch (cause) {
    throw new FixRequestError(
      'cli.bad-json',
      `--args is not JSON: ${(cause as Error).message}. Give an object, for example --args '{"path": "README.md"}'.`,
      { cause },
    );
  }
  if (value !== null && typeof value === 'object' && !Array.isArray(value)) return value as JsonObject;
  throw new FixRequestError(
    'cli.bad-json',
    `--args is ${text.slice(0, 40)}, which is not an object. Give one, for example --args '{"path": "README.md"}'.`,
  );
}
