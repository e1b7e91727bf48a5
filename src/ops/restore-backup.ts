import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import { makeDurableDir, syncDirectories, syncDirectory } from '../state/durable-dir.ts';
import { notWritable } from '../state/not-writable.ts';
import { readServeState } from '../state/serve-file.ts';
import { copyFile } from './backup/copy-file.ts';
import { hashFile } from './backup/hash-file.ts';
import { inBatches } from './backup/in-batches.ts';
import { badArchive, homeFolder, placeIn, privateFolder, type BackupFile } from './backup/manifest.ts';
import { refuseWithoutRoom, type FreeBytes } from './backup/refuse-without-room.ts';
import { parentFolders } from './backup/parent-folders.ts';
import { readArchive, verifyBackup, type BackupReport } from './verify-backup.ts';

export interface RestoreOptions {
  readonly archive: string;
  /** The `.clawhold` folder to make. */
  readonly homeDir: string;
  /** Where an archive's private folders go, by their name there. Absent: they stay in the archive. */
  readonly privateDirs?: Readonly<Record<string, string>>;
  /** The id that `create` printed. */
  readonly id?: string;
  /** Default: what the disk says. */
  readonly freeBytes?: FreeBytes;
}

export interface RestoredBackup extends Pick<BackupReport, 'id' | 'createdMs' | 'files' | 'bytes'> {
  readonly homeDir: string;
  /** Files of the signing key and secrets that were put in place. */
  readonly privateFiles: readonly string[];
}

/**
 * Makes a home from an archive.
 *
 * Contract: the whole archive is verified first, and every file again while it is copied; the home appears whole under its
 * name or not at all; a folder with anything in it is never touched, nor a home that a server serves; nothing is written
 * outside the new home, except private files that were asked for, and of these none that exists is replaced.
 * @throws FixRequestError `ops.bad-archive`, `ops.home-not-empty`, `ops.home-served`, `ops.private-exists`, `ops.no-room`
 */
export async function restoreBackup(options: RestoreOptions): Promise<RestoredBackup> {
  const { archive } = options;
  const homeDir = path.resolve(options.homeDir);
  refuseInUse(homeDir);
  const report = await verifyBackup(archive, options.id === undefined ? {} : { id: options.id });
  if (!report.ok) throw badArchive(archive, `${report.problems[0] ?? ''}${more(report.problems.length - 1)}`);
  const { manifest } = readArchive(archive);
  const secrets = privateCopies(manifest.files, options);
  await refuseTaken(secrets);
  const temp = path.join(path.dirname(homeDir), `.${path.basename(homeDir)}.${randomBytes(6).toString('hex')}.restore`);
  try {
    makeDurableDir(temp);
    refuseWithoutRoom('The restored home', { dir: path.dirname(homeDir), bytes: report.bytes, free: options.freeBytes });
    const files = manifest.files.filter((file) => file.path.startsWith(`${homeFolder}/`));
    await inBatches(files, 32, async (file) => await copyChecked(archive, file, placeIn(temp, file.path.slice(homeFolder.length + 1))));
    await syncDirectories([...new Set(files.flatMap((file) => parentFolders(temp, file.path.slice(homeFolder.length + 1))))]);
    for (const { file, to } of secrets) await copyPrivate(archive, file, to);
    refuseInUse(homeDir);
    // Onto a folder that is there, a rename succeeds only when it is empty.
    fs.renameSync(temp, homeDir);
    syncDirectory(path.dirname(homeDir));
  } catch (error) {
    fs.rmSync(temp, { recursive: true, force: true });
    throw notWritable(homeDir, error);
  }
  const { id, createdMs, bytes } = report;
  return { homeDir, id, createdMs, files: report.files, bytes, privateFiles: secrets.map(({ to }) => to) };
}

function more(count: number): string {
  return count > 0 ? ` (and ${count} more problems)` : '';
}

function refuseInUse(homeDir: string): void {
  const stat = fs.lstatSync(homeDir, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (stat.isDirectory() && readServeState(homeDir).isAlive)
    throw new FixRequestError(
      'ops.home-served',
      `The home ${homeDir} is served by a running process. Stop it, and name another folder or move the home away.`,
    );
  if (!stat.isDirectory() || fs.readdirSync(homeDir).length > 0)
    throw new FixRequestError(
      'ops.home-not-empty',
      `${homeDir} is there and not empty, and a restore never replaces anything. Move it away, or name another folder with --to.`,
    );
}

interface PrivateCopy {
  readonly file: BackupFile;
  readonly to: string;
}

function privateCopies(files: readonly BackupFile[], { privateDirs, archive }: RestoreOptions): PrivateCopy[] {
  if (privateDirs === undefined) return [];
  return files.flatMap((file) => {
    const [top, name = '', ...rest] = file.path.split('/');
    if (top !== privateFolder) return [];
    const dir = Object.hasOwn(privateDirs, name) ? privateDirs[name] : undefined;
    if (dir === undefined || rest.length === 0) throw badArchive(archive, `nobody knows where ${file.path} belongs`);
    return [{ file, to: path.join(dir, ...rest) }];
  });
}

/** The same bytes may be there already. */
async function refuseTaken(copies: readonly PrivateCopy[]): Promise<void> {
  for (const { file, to } of copies) {
    if (!fs.existsSync(to) || (await hashFile(to))?.sha256 === file.sha256) continue;
    throw new FixRequestError(
      'ops.private-exists',
      `${to} is there and is not the one of the backup, and a key is never replaced. Move it away, or restore without --with-secrets.`,
    );
  }
}

async function copyPrivate(archive: string, file: BackupFile, to: string): Promise<void> {
  if (fs.existsSync(to)) return;
  makeDurableDir(path.dirname(to));
  await copyChecked(archive, file, to);
  syncDirectory(path.dirname(to));
}

/** The archive was verified before; this catches whoever changes it meanwhile. */
async function copyChecked(archive: string, file: BackupFile, to: string): Promise<void> {
  const mode = file.path.startsWith(`${privateFolder}/`) ? 0o600 : file.mode & 0o755;
  const copied = await copyFile(placeIn(archive, file.path), to, { mode, isDurable: true });
  if (copied?.sha256 === file.sha256 && copied.bytes === file.bytes) return;
  fs.rmSync(to, { force: true });
  throw badArchive(archive, `${file.path} changed while it was copied`);
}
