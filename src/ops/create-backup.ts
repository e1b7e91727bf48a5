import fs from 'node:fs';
import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import { sha256 } from '../contracts/json.ts';
import { writeFileAtomic } from '../state/atomic-file.ts';
import { makeDurableDir, syncDirectories, syncDirectory } from '../state/durable-dir.ts';
import type { Home } from '../state/home.ts';
import { tryClaim } from '../state/lock.ts';
import { notWritable } from '../state/not-writable.ts';
import { fillArchive, type ArchiveContext } from './backup/fill-archive.ts';
import { isTemporary } from './backup/home-parts.ts';
import { bytesBelow, refuseWithoutRoom, type FreeBytes } from './backup/refuse-without-room.ts';
import { lastBackupFile } from './backup/last-backup.ts';
import { manifestName, type BackupManifest } from './backup/manifest.ts';
import { parentFolders } from './backup/parent-folders.ts';

export interface CreateBackupOptions extends Omit<ArchiveContext, 'archive'> {
  /** The folder that gets the archive. */
  readonly into: string;
  /** Default: what the disk says. */
  readonly freeBytes?: FreeBytes;
}

export interface CreatedBackup {
  readonly archive: string;
  /** Of the manifest, and so of every file: kept elsewhere, it shows later that the archive is the one that was made. */
  readonly id: string;
  readonly files: number;
  readonly bytes: number;
  readonly hasSecrets: boolean;
  readonly skipped: readonly string[];
}

/** Where backups go when nobody says where. */
export function defaultBackupDir(home: Home): string {
  return path.join(home.dir, 'backups');
}

/**
 * Makes an archive: a folder with the home's files, and a manifest with the SHA-256 of each.
 *
 * A folder and not a tar: files can be looked at and copied one by one, nothing has to be unpacked before it is
 * checked, and no parser of a foreign format stands between an archive and a home.
 *
 * Contract: it works beside a running server and stops it for milliseconds only; the databases are of one moment T, and
 * journals, objects and ledger are of T or later, so a restored home is one whose processes were killed at T and whose
 * records may know more than its index: a task that is acknowledged has its journal, and what was under way is
 * delivered and resumed again. The archive appears whole under its name, durable, or not at all. Signing key and secrets are
 * in it only when `withSecrets` says so.
 * @throws FixRequestError `ops.bad-backup-place`, and `ops.no-room` before anything is copied; RetryableError when the disk is full or a database stays locked.
 */
export async function createBackup(options: CreateBackupOptions): Promise<CreatedBackup> {
  const { home, into, nowMs } = options;
  refuseInside(home, into);
  makeDurableDir(into);
  // One at a time for a folder: what is half made there belongs to nobody who lives.
  using claim = tryClaim(path.join(into, '.lock'));
  if (claim === undefined)
    throw new FixRequestError('ops.backup-busy', `Another backup is being made in ${into}. Wait for it, or name another folder.`);
  for (const left of fs.readdirSync(into).filter((name) => /^\.clawhold-\d{8}T\d{6}Z(-\d+)?\.partial$/.test(name)))
    fs.rmSync(path.join(into, left), { recursive: true, force: true });
  const bytes = await bytesBelow([home.dir, ...Object.values(options.privateDirs ?? {})], isCopied);
  refuseWithoutRoom('The backup', { dir: into, bytes, free: options.freeBytes });
  const archive = freeName(into, nowMs);
  const temp = path.join(into, `.${path.basename(archive)}.partial`);
  try {
    const manifest = await fillArchive({ ...options, archive: temp });
    const text = `${JSON.stringify(manifest)}\n`;
    await writeFileAtomic(path.join(temp, manifestName), text, { mode: 0o600 });
    await syncDirectories([...new Set(manifest.files.flatMap((file) => parentFolders(temp, file.path)))]);
    fs.renameSync(temp, archive);
    syncDirectory(into);
    const created = summaryOf(archive, manifest, sha256(text));
    await writeFileAtomic(lastBackupFile(home), `${JSON.stringify({ archive, id: created.id, createdMs: nowMs })}\n`, { mode: 0o600 });
    return created;
  } catch (error) {
    fs.rmSync(temp, { recursive: true, force: true });
    throw notWritable(archive, error);
  }
}

function isCopied(relative: string): boolean {
  return !/^backups(\/|$)/.test(relative) && !isTemporary(relative);
}

/** Inside the home only the folder for backups: anywhere else it would be part of the next backup, or of an agent. */
function refuseInside(home: Home, into: string): void {
  const place = path.resolve(into);
  const isInHome = place === home.dir || place.startsWith(home.dir + path.sep);
  if (!isInHome || place === defaultBackupDir(home) || place.startsWith(defaultBackupDir(home) + path.sep)) return;
  throw new FixRequestError(
    'ops.bad-backup-place',
    `A backup cannot be made in ${place}: it lies inside the home that is backed up. Name a folder elsewhere, best on another disk.`,
  );
}

function freeName(into: string, nowMs: number): string {
  const stamp = new Date(nowMs).toISOString().replaceAll(/[-:]|\.\d{3}/g, '');
  for (let n = 1; ; n += 1) {
    const archive = path.join(into, `clawhold-${stamp}${n === 1 ? '' : `-${n}`}`);
    if (!fs.existsSync(archive)) return archive;
  }
}

function summaryOf(archive: string, manifest: BackupManifest, id: string): CreatedBackup {
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const { hasSecrets, skipped } = manifest;
  return { archive, id, files: manifest.files.length, bytes, hasSecrets, skipped };
}
