import type { Command } from 'commander';
import { FixRequestError } from '../../contracts/errors.ts';
import { parseTokenId, type TokenId } from '../../contracts/ids.ts';
import { hashJson } from '../../contracts/json.ts';
import { roles, type Role } from '../../contracts/principal.ts';
import { makeVisible } from '../../governance/visible.ts';
import { openTokens, type Token, type Tokens } from '../../state/tokens.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';

interface CreateFlags {
  readonly role: readonly string[];
  readonly label: string;
  readonly expiresDays?: string;
}

const dayMs = 86_400_000;
const maxDays = 3650;

export const command: CliCommand = {
  configure(verb, context) {
    addCreate(verb, context);
    verb
      .command('list')
      .description('tokens of the tenant with their roles; no secret is kept that could be shown')
      .action(async () => await list(context));
    verb
      .command('revoke <id>')
      .description('end a token and every secret it ever had, at once')
      .action(async (id: string) => await revoke(context, parseTokenId(id)));
    verb
      .command('rotate <id>')
      .description('a new secret for the same token')
      .option('--grace-minutes <n>', 'how long the old secret stays good', '0')
      .action(async (id: string, flags: { readonly graceMinutes: string }) => await rotate(context, parseTokenId(id), flags.graceMinutes));
  },
};

function addCreate(verb: Command, context: CommandContext): void {
  verb
    .command('create')
    .description('make a bearer token for the HTTP API; its secret is shown once')
    .option('--role <role>', `what it may do: ${roles.join(', ')} (repeat for more; default submitter)`, collect, [])
    .option('--label <text>', 'whose it is, for people', '')
    .option('--expires-days <n>', `it ends after so many days, at most ${maxDays}; without it, when it is revoked`)
    .action(async (flags: CreateFlags) => await create(context, flags));
}

function collect(value: string, before: readonly string[]): readonly string[] {
  return [...before, value];
}

async function create(context: CommandContext, flags: CreateFlags): Promise<void> {
  const { app, io } = context;
  const nowMs = Date.now();
  const days = flags.expiresDays === undefined ? undefined : wholeNumber('--expires-days', flags.expiresDays, { from: 1, to: maxDays });
  const tokens = await open(context);
  const made = tokens.prepare({
    tenant: app.tenant,
    roles: flags.role.length === 0 ? ['submitter'] : flags.role.map(roleOf),
    label: flags.label.slice(0, 200),
    nowMs,
    ...(days === undefined ? {} : { expiresMs: nowMs + days * dayMs }),
  });
  const { token, secret } = made;
  await record(context, undefined, token);
  tokens.add(made);
  printResult(io, { token, secret }, shown(context, token, secret));
}

/** The secret alone on standard output, so that it can be piped; what it is, beside it. */
function shown({ io }: CommandContext, token: Token, secret: string): string {
  if (!io.isJson)
    io.err(
      `Token ${token.id} of tenant ${token.tenant} (${token.roles.join(', ')}). Keep its secret now: it is shown once and stored nowhere.\n`,
    );
  return secret;
}

async function list(context: CommandContext): Promise<void> {
  const { app, io } = context;
  const nowMs = Date.now();
  const rows = (await open(context)).list(app.tenant);
  const cells = rows.map((row) => [
    row.id,
    stateOf(row, nowMs),
    row.roles.join(' '),
    row.expiresMs === undefined ? 'never' : day(row.expiresMs),
    row.lastUsedMs === undefined ? 'never' : day(row.lastUsedMs),
    makeVisible(row.label),
  ]);
  const text =
    rows.length === 0
      ? `Tenant ${app.tenant} has no tokens. Make one with "clawhold tokens create --role submitter".`
      : table([['ID', 'STATE', 'ROLES', 'EXPIRES', 'LAST USED', 'LABEL'], ...cells]);
  printResult(io, { tokens: rows }, text);
}

async function revoke(context: CommandContext, id: TokenId): Promise<void> {
  const { app, io } = context;
  const tokens = await open(context);
  const before = tokens.get(app.tenant, id);
  const after = tokens.revoke(app.tenant, id, Date.now());
  if (after === undefined) throw unknown(context, id);
  if (before?.revokedMs === undefined) await record(context, before, after);
  printResult(io, { token: after }, `Token ${id} is revoked.`);
}

async function rotate(context: CommandContext, id: TokenId, graceMinutes: string): Promise<void> {
  const { app, io } = context;
  const nowMs = Date.now();
  const graceMs = wholeNumber('--grace-minutes', graceMinutes, { from: 0, to: 7 * 24 * 60 }) * 60_000;
  const made = (await open(context)).rotate(app.tenant, id, { nowMs, graceMs });
  if (made === undefined) throw unknown(context, id);
  await record(context, made.token, { ...made.token, rotatedMs: nowMs });
  const oldSecretUntilMs = nowMs + graceMs;
  printResult(io, { token: made.token, secret: made.secret, oldSecretUntilMs }, shown(context, made.token, made.secret));
}

async function open({ app }: CommandContext): Promise<Tokens> {
  return openTokens(await app.database());
}

/** In the tenant's ledger: who made, changed or ended it. The hashes are of what `list` shows; a secret is in none. */
async function record(
  { app, ...context }: CommandContext,
  before: Token | undefined,
  after: Token & { rotatedMs?: number },
): Promise<void> {
  const ledger = await app.ledger();
  await ledger.append({
    type: 'config.change',
    at: new Date().toISOString(),
    principal: localUser({ app, ...context }),
    file: `tokens/${after.id}`,
    ...(before === undefined ? {} : { before: hashJson(before) }),
    after: hashJson(after),
  });
}

function roleOf(text: string): Role {
  const role = roles.find((one) => one === text);
  if (role !== undefined) return role;
  throw new FixRequestError('cli.unknown-role', `There is no role ${JSON.stringify(text)}. Use one of: ${roles.join(', ')}.`);
}

function wholeNumber(flag: string, text: string, { from, to }: { readonly from: number; readonly to: number }): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= from && value <= to) return value;
  const message = `${flag} was given ${JSON.stringify(text)}, which is not a whole number from ${from} to ${to}. Correct it.`;
  throw new FixRequestError('cli.bad-number', message);
}

function unknown({ app }: CommandContext, id: TokenId): FixRequestError {
  return new FixRequestError('cli.unknown-token', `Tenant ${app.tenant} has no token ${id}. "clawhold tokens list" shows what there is.`);
}

function stateOf({ revokedMs, expiresMs }: Token, nowMs: number): 'active' | 'revoked' | 'expired' {
  if (revokedMs !== undefined) return 'revoked';
  return expiresMs !== undefined && expiresMs <= nowMs ? 'expired' : 'active';
}

function day(ms: number): string {
  return new Date(ms).toISOString().slice(0, 16);
}
