import path from 'node:path';
import { parseAgentId } from '../../contracts/ids.ts';
import { isolationClasses, type BoundaryClass } from '../../contracts/isolation.ts';
import type { Probe } from '../../sandbox/probe.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { table } from '../io.ts';
import { openHere } from './open-here.ts';
import { runInSandbox, type SandboxRunFlags } from './sandbox-run.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('list')
      .description('every driver, its class, and whether it works here')
      .action(async () => await list(context));
    verb
      .command('probe [driver]')
      .description('what works here, with which limits, and why not; exit 5 when the named driver does not')
      .action(async (driver?: string) => await probe(context, driver));
    verb
      .command('explain <agent>')
      .description('which sandbox an agent would get now, and why')
      .action(async (agent: string) => await explain(context, agent));
    verb
      .command('run <argv...>')
      .description('run one command in a throw-away sandbox on a folder; write -- before it')
      .option('--workspace <dir>', 'the folder that the command sees as /workspace; default: an empty one')
      .option('--driver <name>', 'bwrap or oci; default: the strongest that works')
      .option('--minimum <class>', `the weakest class: ${isolationClasses.slice(2).join(', ')}`)
      .option('--timeout <seconds>', 'wall time; default 120')
      .passThroughOptions()
      .action(async (argv: string[], flags: SandboxRunFlags) => await runInSandbox(context, argv, flags));
  },
};

async function list(context: CommandContext): Promise<void> {
  await using sandboxes = await openHere(context);
  const { drivers } = sandboxes;
  const { probeDrivers } = await import('../../sandbox/open-sandbox.ts');
  const probes = await probeDrivers(drivers);
  const rows = probes.map((one) => [one.driver, one.isolation, one.works ? 'works' : 'no', one.works ? one.version : one.reason]);
  printResult(context.io, { drivers: probes }, table([['DRIVER', 'CLASS', 'HERE', 'VERSION OR REASON'], ...rows]));
}

async function probe(context: CommandContext, name: string | undefined): Promise<void> {
  await using sandboxes = await openHere(context);
  const { drivers, runtimeDir } = sandboxes;
  const chosen = name === undefined ? drivers : drivers.filter((driver) => driver.name === name);
  const { FixRequestError } = await import('../../contracts/errors.ts');
  if (chosen.length === 0) {
    const names = drivers.map((driver) => driver.name).join(', ');
    throw new FixRequestError('cli.unknown-driver', `There is no sandbox driver ${JSON.stringify(name)}. Use one of: ${names}.`);
  }
  const { probeDrivers } = await import('../../sandbox/open-sandbox.ts');
  const probes = await probeDrivers(chosen);
  if (name !== undefined && probes.some(({ works }) => !works)) context.exit(exitCodes.sandboxUnavailable);
  printResult(context.io, { drivers: probes, runtimeDir }, probes.flatMap(describeProbe).join('\n'));
}

function describeProbe(found: Probe): string[] {
  if (!found.works) return [`${found.driver}: does not work here`, `  why     ${found.reason}`, `  instead ${found.remedy}`];
  const limits = Object.entries(found.limits).map(([limit, { by }]) => `${limit} (${by})`);
  return [
    `${found.driver}: works, class ${found.isolation}, ${found.version}`,
    `  limits  ${limits.join(', ')}`,
    ...found.notes.map((note) => `  note    ${note}`),
  ];
}

async function explain(context: CommandContext, name: string): Promise<void> {
  const { app, io } = context;
  const [{ loadAgent }, { compilePolicy }, { agentPolicySource }] = await Promise.all([
    import('../../worker/load-agent.ts'),
    import('../../governance/policy-snapshot.ts'),
    import('../../worker/policy-sources.ts'),
  ]);
  const agent = await loadAgent(await app.home(), { tenant: app.tenant, agent: parseAgentId(name) });
  const snapshot = compilePolicy([...(await app.policyFiles()), await agentPolicySource(await app.home(), agent)]);
  const { minimum } = snapshot.sandbox;
  const driver = agent.config.sandbox?.driver ?? 'auto';
  const isGranted = Object.hasOwn(agent.config.grants ?? {}, 'shell.exec');
  const facts = { agent: name, isGranted, driver, minimum, workspace: path.resolve(agent.workspace) };
  const found = await choice(context, { driver, minimum, image: agent.config.sandbox?.image });
  if (!found.available && isGranted) context.exit(exitCodes.sandboxUnavailable);
  const lines = [
    `asked for ${driver}, at least ${minimum}`,
    `granted   ${isGranted ? 'shell.exec' : `nothing: grant shell.exec in ${path.join(agent.dir, 'agent.yaml')}`}`,
    `${found.available ? 'gets     ' : 'refused  '} ${found.why}`,
  ];
  printResult(io, { ...facts, ...found }, lines.join('\n'));
}

interface Asked {
  readonly driver: string;
  readonly minimum: BoundaryClass;
  readonly image: Parameters<typeof openHere>[1];
}

async function choice(
  context: CommandContext,
  { driver, minimum, image }: Asked,
): Promise<{ readonly available: boolean; readonly why: string; readonly chosen?: string; readonly isolation?: string }> {
  await using sandboxes = await openHere(context, image);
  const { drivers, candidates } = sandboxes;
  const [{ chooseDriver }, { SandboxUnavailableError }] = await Promise.all([
    import('../../sandbox/open-sandbox.ts'),
    import('../../sandbox/sandbox-error.ts'),
  ]);
  try {
    const found = await chooseDriver({ drivers: driver === 'auto' ? candidates : drivers, wanted: driver, minimum });
    return { available: true, why: found.why, chosen: found.driver.name, isolation: found.probe.isolation };
  } catch (error) {
    if (!(error instanceof SandboxUnavailableError)) throw error;
    return { available: false, why: error.message };
  }
}
