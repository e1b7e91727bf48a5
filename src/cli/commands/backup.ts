import path from 'node:path';
import { FixRequestError } from '../../contracts/errors.ts';
import { makeVisible } from '../../governance/visible.ts';
import { printResult, type CliCommand, type CommandContext } from '../command.ts';
import { exitCodes } from '../exit-codes.ts';
import { table } from '../io.ts';

interface PlaceFlags {
  readonly to?: string;
  readonly withSecrets?: boolean;
  readonly id?: string;
}

export const command: CliCommand = {
  configure(verb, context) {
    verb
      .command('create')
      .description('copy home, databases, ledger and runs into a new folder; a running server goes on')
      .option('--to <dir>', 'the folder that gets it, best on another disk; default: backups in the home')
      .option('--with-secrets', "also the ledger's signing key and the secrets: keep such a backup like the keys themselves")
      .action(async (flags: PlaceFlags) => await create(context, flags));
    verb
      .command('verify <backup>')
      .description('check every file, the databases and the ledger of a backup; exit 1 when anything is wrong')
      .option('--id <sha256>', 'the id that create printed: finds a backup that was exchanged as a whole')
      .action(async (archive: string, flags: PlaceFlags) => await verify(context, archive, flags));
    verb
      .command('restore <backup>')
      .description('make a home from a backup; nothing that exists is replaced')
      .option('--to <dir>', 'the folder that gets .clawhold; default: the current one')
      .option('--with-secrets', 'also put the signing key and the secrets in their places')
      .option('--id <sha256>', 'the id that create printed')
      .action(async (archive: string, flags: PlaceFlags) => await restore(context, archive, flags));
    verb
      .command('list')
      .description('backups in a folder, newest first')
      .option('--to <dir>', 'the folder; default: backups in the home')
      .action(async (flags: PlaceFlags) => await list(context, flags));
  },
};

/** A backup is of all tenants, so it is the platform's. */
function refuseTenant({ app }: CommandContext): void {
  if (app.tenant === 'default') return;
  const message = `A backup holds every tenant, so tenant ${app.tenant} cannot make or restore one. Leave --tenant out.`;
  throw new FixRequestError('cli.platform-only', message);
}

async function create(context: CommandContext, flags: PlaceFlags): Promise<void> {
  const { app, io } = context;
  refuseTenant(context);
  const [{ createBackup, defaultBackupDir }, { version }] = await Promise.all([
    import('../../ops/create-backup.ts'),
    import('../build-id.ts'),
  ]);
  const home = await app.home();
  const made = await createBackup({
    home,
    into: flags.to === undefined ? defaultBackupDir(home) : path.resolve(app.cwd, flags.to),
    nowMs: Date.now(),
    version: version(),
    ...(flags.withSecrets === true ? { privateDirs: await privateDirs(app) } : {}),
  });
  const notes = [
    made.hasSecrets
      ? 'It holds the signing key and the secrets: whoever reads it has them.'
      : 'It holds neither secrets nor the signing key; without the key a restored ledger can be verified, but not continued.',
    ...(made.skipped.length > 0
      ? [
          `Not copied, because they are links, no files, or have names that an archive does not hold: ${made.skipped.map((name) => makeVisible(name)).join(', ')}.`,
        ]
      : []),
    ...(flags.to === undefined ? ['It lies on the same disk as the home: copy it elsewhere, or use --to.'] : []),
    "Agents' workspaces are not part of it.",
  ];
  printResult(
    io,
    made,
    [`Backed up ${made.files} files (${mebibytes(made.bytes)}) to ${made.archive}`, `id ${made.id}`, ...notes].join('\n'),
  );
}

async function privateDirs(app: CommandContext['app']): Promise<{ readonly keys: string; readonly secrets: string }> {
  return (await import('../wire.ts')).privateDirsOf(app);
}

async function verify(context: CommandContext, archive: string, { id }: PlaceFlags): Promise<void> {
  const { verifyBackup } = await import('../../ops/verify-backup.ts');
  const report = await verifyBackup(path.resolve(context.app.cwd, archive), id === undefined ? {} : { id });
  const counts = `${report.files} files (${mebibytes(report.bytes)}), ${report.ledgerRows} ledger records, made ${new Date(report.createdMs).toISOString()}`;
  if (report.ok) return printResult(context.io, report, `backup ok: ${counts}`);
  context.exit(exitCodes.error);
  const lines = report.problems.map((problem) => `  ${makeVisible(problem)}`);
  printResult(context.io, report, ['backup NOT ok: restore another one', ...lines].join('\n'));
}

async function restore(context: CommandContext, archive: string, flags: PlaceFlags): Promise<void> {
  const { app, io } = context;
  refuseTenant(context);
  const { restoreBackup } = await import('../../ops/restore-backup.ts');
  const folder = path.resolve(app.cwd, flags.to ?? '.');
  const restored = await restoreBackup({
    archive: path.resolve(app.cwd, archive),
    homeDir: path.basename(folder) === '.clawhold' ? folder : path.join(folder, '.clawhold'),
    ...(flags.withSecrets === true ? { privateDirs: await privateDirs(app) } : {}),
    ...(flags.id === undefined ? {} : { id: flags.id }),
  });
  const lines = [
    `Restored ${restored.files} files to ${restored.homeDir}, as of ${new Date(restored.createdMs).toISOString()}.`,
    'Next: clawhold doctor, then clawhold runs reindex if runs ended while the backup was made.',
  ];
  printResult(io, restored, lines.join('\n'));
}

async function list({ app, io }: CommandContext, { to }: PlaceFlags): Promise<void> {
  const [{ listBackups }, { defaultBackupDir }] = await Promise.all([
    import('../../ops/list-backups.ts'),
    import('../../ops/create-backup.ts'),
  ]);
  const dir = to === undefined ? defaultBackupDir(await app.home()) : path.resolve(app.cwd, to);
  const backups = listBackups(dir);
  const rows = backups.map((one) => [
    one.archive,
    one.createdMs === undefined ? '' : new Date(one.createdMs).toISOString().slice(0, 19),
    one.bytes === undefined ? '' : mebibytes(one.bytes),
    one.problem === undefined ? (one.hasSecrets === true ? 'with secrets' : '') : makeVisible(one.problem),
  ]);
  printResult(io, { dir, backups }, rows.length === 0 ? `No backups in ${dir}.` : table([['BACKUP', 'MADE (UTC)', 'SIZE', ''], ...rows]));
}

function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
