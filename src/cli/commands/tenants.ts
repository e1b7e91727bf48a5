import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { parseTenantId, type TenantId } from '../../contracts/ids.ts';
import type { TenantConfig } from '../../contracts/tenant.ts';
import { makeVisible } from '../../governance/visible.ts';
import { openTenants, type TenantChange, type Tenants } from '../../state/tenants.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';
import { editOfTenant } from '../tenant-fields.ts';

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('create <name>')
      .description('make a tenant with folders of its own')
      .option('--title <text>', 'for people')
      .action(async (name: string, flags: { readonly title?: string }) => await create(context, parseTenantId(name), flags));
    verb
      .command('list')
      .description('tenants with their quota use, and what is wrong with them')
      .action(async () => await list(context));
    verb
      .command('show <name>')
      .description("one tenant's configuration, quotas and use")
      .action(async (name: string) => await show(context, parseTenantId(name)));
    verb
      .command('set <name> <key> <value>')
      .description('change a field of tenant.yaml, such as quotas.concurrentRuns; "none" takes it out')
      .action(async (name: string, key: string, value: string) => await set(context, parseTenantId(name), { key, value }));
    verb
      .command('suspend <name>')
      .description('start nothing for it any more; what it has is kept')
      .action(async (name: string) => await setState(context, parseTenantId(name), 'suspended'));
    verb
      .command('resume <name>')
      .description('let a suspended tenant work again')
      .action(async (name: string) => await setState(context, parseTenantId(name), 'active'));
  },
};

/** Tenants are the platform's: who works as one of them changes none. */
async function open({ app }: CommandContext): Promise<Tenants> {
  if (app.tenant === 'default') return openTenants(await app.home());
  const message = `Tenants are changed on the platform, not as tenant ${app.tenant}. Leave --tenant out.`;
  throw new FixRequestError('cli.platform-only', message);
}

async function create(context: CommandContext, id: TenantId, { title }: { readonly title?: string }): Promise<void> {
  const change = await (await open(context)).create(id, { version: 1, ...(title === undefined ? {} : { title }) });
  await record(context, change);
  const next = `Made tenant ${id}. Next:\n  clawhold agents new main --tenant ${id}\n  clawhold tokens create --tenant ${id}`;
  printResult(context.io, { tenant: id, file: change.file }, next);
}

interface Shown {
  readonly tenant: TenantId;
  readonly state: 'active' | 'suspended' | 'invalid';
  readonly title: string;
  readonly config?: TenantConfig;
  readonly problem?: string;
}

function read(tenants: Tenants, tenant: TenantId): Shown {
  try {
    const { config, isActive } = tenants.existing(tenant);
    return { tenant, state: isActive ? 'active' : 'suspended', title: config.title ?? '', config };
  } catch (error) {
    if (error instanceof FixRequestError && error.code === 'state.unknown-tenant') throw error;
    return { tenant, state: 'invalid', title: '', problem: reasonOf(error) };
  }
}

async function list(context: CommandContext): Promise<void> {
  const tenants = await open(context);
  const rows = tenants.list().map((id) => read(tenants, id));
  const cells = rows.map(({ tenant, state, title, problem }) => [tenant, state, makeVisible(problem ?? title)]);
  printResult(context.io, { tenants: rows }, table([['TENANT', 'STATE', 'TITLE'], ...cells]));
}

async function show(context: CommandContext, id: TenantId): Promise<void> {
  const row = read(await open(context), id);
  const { stringify } = await import('yaml');
  printResult(context.io, row, `${row.tenant}: ${row.state}\n${row.problem ?? stringify(row.config)}`);
}

async function set(context: CommandContext, id: TenantId, field: { readonly key: string; readonly value: string }): Promise<void> {
  const change = await (await open(context)).edit(id, editOfTenant(field));
  await record(context, change);
  printResult(
    context.io,
    { tenant: id, config: change.tenant.config },
    `${field.key} of tenant ${id} is now ${field.value} (${change.file}).`,
  );
}

async function setState(context: CommandContext, id: TenantId, state: 'active' | 'suspended'): Promise<void> {
  const change = await (await open(context)).edit(id, (editor) => editor.set(['state'], state));
  await record(context, change);
  printResult(context.io, { tenant: id, state }, `Tenant ${id} is ${state}.`);
}

/** In the ledger of the platform, whose configuration it is. */
async function record(context: CommandContext, { file, before, after }: TenantChange): Promise<void> {
  const ledger = await context.app.ledger();
  await ledger.append({
    type: 'config.change',
    at: new Date().toISOString(),
    principal: localUser(context),
    file,
    ...(before === undefined ? {} : { before }),
    after,
  });
}
