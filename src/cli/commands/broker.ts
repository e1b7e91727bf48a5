import type { BrokerPolicy } from '../../contracts/broker-config.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';

interface MatchFlags {
  readonly run?: string | undefined;
  readonly agent?: string | undefined;
  readonly tool?: string | undefined;
}

interface RevokeFlags extends MatchFlags {
  readonly reason?: string;
}

type Revoked = NonNullable<BrokerPolicy['revoked']>[number];

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('grants')
      .description('credentials that runs asked for, newest last: given, used, refused or taken back')
      .option('--run <run>', 'of one run')
      .option('--agent <id>', 'of one agent')
      .option('--tool <name>', 'of one tool: http.fetch, shell.exec or mcp.SERVER')
      .option('--limit <n>', 'how many', '50')
      .action(async (flags: MatchFlags & { readonly limit: string }) => await list(context, flags));
    const matching = (name: string, description: string) =>
      verb
        .command(name)
        .description(description)
        .option('--run <run>', 'of one run')
        .option('--agent <id>', 'of one agent')
        .option('--tool <name>', 'of one tool: http.fetch, shell.exec or mcp.SERVER');
    matching('revoke', 'take credentials back at once: what matches gets none, in any process')
      .option('--reason <text>', 'why, for people and the ledger', 'no reason was given')
      .action(async (flags: RevokeFlags) => await revoke(context, flags));
    matching('restore', 'undo a revocation of exactly this run, agent and tool').action(
      async (flags: MatchFlags) => await restore(context, flags),
    );
  },
};

interface Row {
  readonly grant: string;
  readonly at: string;
  readonly run: string;
  readonly agent: string;
  readonly tool: string;
  readonly hosts: readonly string[];
  state: string;
}

async function list({ app, io }: CommandContext, { limit, ...match }: MatchFlags & { readonly limit: string }): Promise<void> {
  const most = Number(limit);
  if (!Number.isInteger(most) || most < 1)
    throw new FixRequestError('cli.bad-number', `--limit was given ${JSON.stringify(limit)}. Write a whole number from 1 on.`);
  const { readLedger } = await import('../../governance/query-ledger.ts');
  const rows: Row[] = [];
  const given = new Map<string, Row>();
  const nowMs = Date.now();
  for await (const { event } of readLedger((await app.home()).ledgerDir(app.tenant), filterOf(match))) {
    if (event.type === 'broker.grant') {
      const { at, run, agent, tool, hosts, expires, grant } = event;
      const row: Row = { grant, at, run, agent, tool, hosts, state: Date.parse(expires) <= nowMs ? 'expired unused' : 'given' };
      rows.push(row);
      given.set(grant, row);
    } else if (event.type === 'broker.use') setState(given, event.grant, 'used');
    else if (event.type === 'broker.denial') {
      const { at, run, agent, tool, code, grant = '' } = event;
      rows.push({ grant, at, run, agent, tool, hosts: [], state: code });
    } else if (event.type === 'broker.revoke') for (const id of event.grants) setState(given, id, 'taken back');
  }
  const shown = rows.slice(-most);
  const { revoked = [] } = await readPolicy(app);
  const cells = shown.map(({ at, state, tool, agent, run, hosts }) => [at, state, tool, agent, run, hosts.join(' ')]);
  const lines = [
    ...(cells.length === 0 ? ['No run asked for a credential.'] : [table([['TIME', 'STATE', 'TOOL', 'AGENT', 'RUN', 'HOSTS'], ...cells])]),
    ...revoked.map((one) => `taken back: ${describe(one)}: ${one.reason}`),
  ];
  printResult(io, { grants: shown, revoked }, lines.join('\n'));
}

function setState(given: ReadonlyMap<string, Row>, id: string, state: string): void {
  const row = given.get(id);
  if (row !== undefined) row.state = state;
}

async function readPolicy(app: CommandContext['app']): Promise<BrokerPolicy> {
  const [{ readYamlFile }, { brokerPolicy }, { brokerFile }] = await brokerParts();
  return (await readYamlFile(brokerFile((await app.home()).tenantDir(app.tenant)), brokerPolicy))?.value ?? { version: 1 };
}

async function brokerParts() {
  return await Promise.all([
    import('../../state/read-yaml-file.ts'),
    import('../../contracts/broker-config.ts'),
    import('../open-broker.ts'),
  ]);
}

async function revoke(context: CommandContext, { reason = '', ...flags }: RevokeFlags): Promise<void> {
  const match = matchOf(flags);
  const { revoked = [] } = await readPolicy(context.app);
  const others = revoked.filter((one) => !isSame(one, match));
  await writeRevoked(context, [...others, { ...match, reason }], `revoked ${describe(match)}: ${reason}`);
  printResult(
    context.io,
    { revoked: { ...match, reason } },
    `Taken back: ${describe(match)}. It gets no credential any more, in any process; "clawhold broker restore" with the same options undoes it.`,
  );
}

async function restore(context: CommandContext, flags: MatchFlags): Promise<void> {
  const match = matchOf(flags);
  const { revoked = [] } = await readPolicy(context.app);
  const others = revoked.filter((one) => !isSame(one, match));
  if (others.length === revoked.length)
    throw new FixRequestError('cli.not-revoked', `Nothing was taken back for ${describe(match)}. "clawhold broker grants" shows what was.`);
  await writeRevoked(context, others, `restored ${describe(match)}`);
  printResult(context.io, { restored: match }, `Given back: ${describe(match)}.`);
}

/** In the file that every request reads anew, and in the ledger. */
async function writeRevoked(context: CommandContext, revoked: readonly Revoked[], reason: string): Promise<void> {
  const { app } = context;
  const [{ editYamlFile }, [, { brokerPolicy }, { brokerFile }], path] = await Promise.all([
    import('../../state/edit-yaml-file.ts'),
    brokerParts(),
    import('node:path'),
  ]);
  const home = await app.home();
  const file = brokerFile(home.tenantDir(app.tenant));
  const edited = await editYamlFile(file, brokerPolicy, (editor) => editor.set(['revoked'], revoked));
  const at = new Date().toISOString();
  const before = edited.before === undefined ? {} : { before: edited.before };
  const ledger = await app.ledger();
  const change = { file: path.relative(home.dir, file), ...before, after: edited.after };
  await ledger.append({ type: 'config.change', at, principal: localUser(context), ...change });
  await ledger.append({ type: 'broker.revoke', at, tenant: app.tenant, grants: [], reason });
}

function filterOf({ run, agent, tool }: MatchFlags): { readonly run?: string; readonly agent?: string; readonly tool?: string } {
  return { ...(run === undefined ? {} : { run }), ...(agent === undefined ? {} : { agent }), ...(tool === undefined ? {} : { tool }) };
}

function matchOf(flags: MatchFlags): MatchFlags {
  const match = filterOf(flags);
  if (Object.keys(match).length === 0)
    throw new FixRequestError(
      'cli.no-match',
      'Nothing was named, so nothing was changed. Name a run, an agent or a tool with --run, --agent or --tool.',
    );
  return match;
}

function isSame(one: MatchFlags, other: MatchFlags): boolean {
  return one.run === other.run && one.agent === other.agent && one.tool === other.tool;
}

function describe(match: MatchFlags): string {
  return (['run', 'agent', 'tool'] as const).flatMap((name) => (match[name] === undefined ? [] : [`${name} ${match[name]}`])).join(', ');
}
