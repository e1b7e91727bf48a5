import type { Placement, SecretLookup, SecretView } from '../../broker/secrets.ts';
import { parseHostPort, hostPortText } from '../../broker/host-name.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';

interface SetFlags {
  readonly host: readonly string[];
  readonly header: readonly string[];
  readonly query: readonly string[];
  readonly body: readonly string[];
  readonly valueElsewhere?: boolean;
}

const noHost = 'Name the hosts that may get it with --host: a secret without hosts is never sent anywhere.';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('set <name>')
      .description('keep a secret; its value is read from standard input and never shown')
      .option('--host <host[:port]>', 'a host that it may be sent to (repeat for more; port 443 if none is named)', collect, [])
      .option('--header <name>', 'a request header that it may stand in (default: authorization)', collect, [])
      .option('--query <METHOD:PATH>', 'a query of exactly this method and path that it may stand in', collect, [])
      .option('--body <METHOD:PATH>', 'a body of exactly this method and path that it may stand in', collect, [])
      .option('--value-elsewhere', 'only where it may go: the value comes from the environment or the keychain')
      .action(async (name: string, flags: SetFlags) => await set(context, name, flags));
    verb
      .command('list')
      .description('secrets with their hosts; values are masked')
      .action(async () => await list(context));
    verb
      .command('rotate <name>')
      .description('a new value, from standard input, for the same hosts')
      .action(async (name: string) => await rotate(context, name));
    verb
      .command('remove <name>')
      .description('forget a secret')
      .action(async (name: string) => await remove(context, name));
    verb
      .command('which <name>')
      .description('where a value is looked for, in order, and where it is found')
      .action(async (name: string) => await which(context, name));
  },
};

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function set({ app, io }: CommandContext, name: string, flags: SetFlags): Promise<void> {
  if (flags.host.length === 0) throw new FixRequestError('cli.no-secret-host', `No host was named for ${name}. ${noHost}`);
  const hosts = flags.host.map((host) => hostPortText(parseHostPort(host, 443)));
  const place: Placement[] = [
    ...flags.header.map((header) => ({ in: 'header' as const, name: header.toLowerCase() })),
    ...flags.query.map((text) => ({ in: 'query' as const, ...methodAndPath('--query', text) })),
    ...flags.body.map((text) => ({ in: 'body' as const, ...methodAndPath('--body', text) })),
  ];
  const { readSecretValue } = await import('../../broker/secrets.ts');
  const value = flags.valueElsewhere === true ? {} : { value: await readSecretValue(io.stdin) };
  const secrets = await app.secrets();
  const view = await secrets.set(app.tenant, name, { ...value, hosts, ...(place.length === 0 ? {} : { place }) });
  printResult(
    io,
    { secret: view },
    `${view.name} is kept (${view.fingerprint ?? 'no value yet'}) for ${view.hosts.join(', ')}, in ${placesOf(view)}.`,
  );
}

function methodAndPath(flag: string, text: string): { readonly method: string; readonly path: string } {
  const match = /^([A-Za-z]+):(\/.*)$/.exec(text);
  if (match === null)
    throw new FixRequestError(
      'cli.bad-placement',
      `${flag} was given ${JSON.stringify(text)}. Write a method and one path, for example ${flag} POST:/v1/login.`,
    );
  return { method: (match[1] ?? '').toUpperCase(), path: match[2] ?? '' };
}

async function list({ app, io }: CommandContext): Promise<void> {
  const views = await (await app.secrets()).list(app.tenant);
  const cells = views.map((view) => [
    view.name,
    view.fingerprint ?? 'no value',
    view.source ?? 'nowhere',
    view.hosts.join(' ') || 'none',
    placesOf(view),
  ]);
  const text =
    views.length === 0
      ? 'No secrets. Keep one with: clawhold secrets set NAME --host api.example.org < file'
      : table([['NAME', 'VALUE', 'SOURCE', 'HOSTS', 'PLACES'], ...cells]);
  printResult(io, { secrets: views }, text);
}

async function rotate({ app, io }: CommandContext, name: string): Promise<void> {
  const { readSecretValue } = await import('../../broker/secrets.ts');
  const view = await (await app.secrets()).rotate(app.tenant, name, await readSecretValue(io.stdin));
  printResult(io, { secret: view }, `${view.name} has a new value (${view.fingerprint ?? ''}).`);
}

async function remove({ app, io }: CommandContext, name: string): Promise<void> {
  const isRemoved = await (await app.secrets()).remove(app.tenant, name);
  if (!isRemoved)
    throw new FixRequestError(
      'cli.unknown-secret',
      `There is no secret ${name} in a file of this machine. "clawhold secrets list" shows what there is.`,
    );
  printResult(io, { removed: name }, `${name} is removed.`);
}

async function which({ app, io }: CommandContext, name: string): Promise<void> {
  const lookups: readonly SecretLookup[] = await (await app.secrets()).which(app.tenant, name);
  const cells = lookups.map(({ source, found, note }) => [found ? 'found' : 'no', source, note ?? '']);
  printResult(io, { name, lookups }, table(cells));
}

function placesOf({ place }: SecretView): string {
  return (
    place.map((one) => (one.in === 'header' ? `header ${one.name}` : `${one.in} of ${one.method} ${one.path}`)).join(', ') || 'no place'
  );
}
