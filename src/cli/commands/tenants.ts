import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import { parseTenantId, type TenantId } from '../../contracts/ids.ts';
import type { QuotaName } from '../../contracts/tenant.ts';
import { sharesOf } from '../../control/quota.ts';
import { tenantStatus, type ShownUse, type TenantStatus } from '../../control/tenant-status.ts';
import { makeVisible } from '../../governance/visible.ts';
import { openTenants, type TenantChange, type Tenants } from '../../state/tenants.ts';
import { table } from '../io.ts';
import { localUser } from '../run-options.ts';
import { openTenantStatus } from '../open-tenant-status.ts';
import { openHomeQueue } from '../resume-on-queue.ts';
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
      .command('delete <name>')
      .description('take a tenant with all it has out of reach; kept below deleted/ until a human removes it')
      .option('--yes', 'do it')
      .option('--erase', 'keep nothing')
      .action(async (name: string, flags: DeleteFlags) => {
        const { deleteTenant } = await import('./tenants-delete.ts');
        await deleteTenant(context, parseTenantId(name), flags);
      });
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

export interface DeleteFlags {
  readonly yes?: boolean;
  readonly erase?: boolean;
}

/** Tenants are the platform's: who works as one of them changes none. */
export async function openPlatformTenants({ app }: CommandContext): Promise<Tenants> {
  if (app.tenant === 'default') return openTenants(await app.home());
  const message = `Tenants are changed on the platform, not as tenant ${app.tenant}. Leave --tenant out.`;
  throw new FixRequestError('cli.platform-only', message);
}

async function create(context: CommandContext, id: TenantId, { title }: { readonly title?: string }): Promise<void> {
  const change = await (await openPlatformTenants(context)).create(id, { version: 1, ...(title === undefined ? {} : { title }) });
  await record(context, change);
  const next = `Made tenant ${id}. Next:\n  clawhold agents new main --tenant ${id}\n  clawhold tokens create --tenant ${id}`;
  printResult(context.io, { tenant: id, file: change.file }, next);
}

async function statusOf(context: CommandContext, ids: (tenants: Tenants) => readonly TenantId[]): Promise<readonly TenantStatus[]> {
  const { app } = context;
  const tenants = await openPlatformTenants(context);
  await using queue = await openHomeQueue(app);
  const ctx = await openTenantStatus(app, queue);
  const rows = [];
  for (const id of ids(tenants)) rows.push(await tenantStatus(ctx, id));
  return rows;
}

async function list(context: CommandContext): Promise<void> {
  const rows = await statusOf(context, (tenants) => tenants.list());
  const cells = rows.map((row) => [
    row.tenant,
    row.state,
    used(row, 'concurrentRuns'),
    used(row, 'sandboxes'),
    used(row, 'storageMb'),
    used(row, 'usdPerDay'),
    row.conditions.map(({ type, quota }) => (quota === undefined ? type : `${type}(${quota})`)).join(' ') || 'none',
    makeVisible(row.title),
  ]);
  const head = ['TENANT', 'STATE', 'RUNS', 'SANDBOXES', 'MIB', 'USD TODAY', 'CONDITIONS', 'TITLE'];
  printResult(context.io, { tenants: rows }, table([head, ...cells]));
}

function used({ uses }: TenantStatus, name: QuotaName): string {
  const use: ShownUse | undefined = uses.find((one) => one.name === name);
  const amount = Number((use?.used ?? 0).toFixed(4));
  return use?.limit === undefined ? String(amount) : `${amount}/${use.limit}`;
}

async function show(context: CommandContext, id: TenantId): Promise<void> {
  const [row] = await statusOf(context, () => [id]);
  if (row === undefined) return;
  const { stringify } = await import('yaml');
  const lines = [
    `${row.tenant}: ${row.state}${row.title === '' ? '' : `, ${makeVisible(row.title)}`}`,
    ...row.conditions.map(({ type, message }) => context.io.color.yellow(`${type}: ${makeVisible(message)}`)),
    '',
    table([['QUOTA', 'USED', 'LIMIT'], ...row.uses.map((use) => [use.name, String(use.used), String(use.limit ?? 'none')])]),
    `requests today ${row.requestsToday}, dead tasks ${row.tasks.dead}`,
    '',
    row.config === undefined ? '' : stringify(row.config).trimEnd(),
  ];
  printResult(context.io, row, lines.join('\n'));
}

async function set(context: CommandContext, id: TenantId, field: { readonly key: string; readonly value: string }): Promise<void> {
  const change = await (await openPlatformTenants(context)).edit(id, editOfTenant(field));
  await record(context, change);
  await applyShare(context, id);
  printResult(
    context.io,
    { tenant: id, config: change.tenant.config },
    `${field.key} of tenant ${id} is now ${field.value} (${change.file}).`,
  );
}

async function setState(context: CommandContext, id: TenantId, state: 'active' | 'suspended'): Promise<void> {
  const change = await (await openPlatformTenants(context)).edit(id, (editor) => editor.set(['state'], state));
  await record(context, change);
  await applyShare(context, id);
  printResult(context.io, { tenant: id, state }, `Tenant ${id} is ${state}.`);
}

/** At once, also where no server runs or looks at the file a moment later: no task is leased by the share of before. */
export async function applyShare({ app }: CommandContext, id: TenantId): Promise<void> {
  await using queue = await openHomeQueue(app);
  for (const { tenant, share } of sharesOf(openTenants(await app.home()))) if (tenant === id) await queue.setShare(tenant, share);
}

/** In the ledger of the platform, whose configuration it is. */
export async function record(context: CommandContext, { file, before, after }: TenantChange): Promise<void> {
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
