import fs from 'node:fs';
import path from 'node:path';
import { parseRunId, parseTenantId, type TenantId } from '../../contracts/ids.ts';
import { exportLedger } from '../../governance/export-ledger.ts';
import { readLedger } from '../../governance/query-ledger.ts';
import type { Home } from '../../state/home.ts';
import { inspectDatabase } from '../../state/inspect-database.ts';
import { snapshotDatabases } from '../../state/snapshot-databases.ts';
import { copyFile } from './copy-file.ts';
import { hashFile } from './hash-file.ts';
import { isPlainPart, isRunsPart, isTemporary } from './home-parts.ts';
import { inBatches } from './in-batches.ts';
import { homeFolder, isArchivePath, privateFolder, type BackupFile, type BackupManifest } from './manifest.ts';
import { walkFiles } from './walk-files.ts';

export interface ArchiveContext {
  readonly home: Home;
  /** Made here. */
  readonly archive: string;
  readonly nowMs: number;
  readonly version: string;
  /** By their name in the archive: folders with the signing key and secrets. Absent: they stay out. */
  readonly privateDirs?: Readonly<Record<string, string>>;
  /** Called before each step; tests change the home there. */
  readonly beforeStep?: (step: BackupStep) => void | Promise<void>;
}

export type BackupStep = 'databases' | 'runs' | 'ledger' | 'ended-runs' | 'files' | 'hashes';

const width = 8;

/**
 * Copies the parts of a home in the order that keeps them consistent:
 * 1. all databases, of one moment;
 * 2. runs;
 * 3. each ledger at a moment of its own, cut at whole records: it knows every run that was copied;
 * 4. again every run that the copied ledger says has ended, so that its files are those that the ledger describes;
 * 5. the rest, with the objects that journals refer to: no journal is newer than its objects.
 */
export async function fillArchive(context: ArchiveContext): Promise<BackupManifest> {
  const { home, archive, nowMs, version, privateDirs, beforeStep = () => undefined } = context;
  const inArchive = path.join(archive, homeFolder);
  fs.mkdirSync(inArchive, { recursive: true, mode: 0o700 });
  const skipped: string[] = [];
  await beforeStep('databases');
  const databases = await copyDatabases(home, inArchive);
  await beforeStep('runs');
  await copyTree(home.dir, inArchive, { isWanted: wantsRuns, skipped });
  const tenants = tenantsOf(home);
  await beforeStep('ledger');
  for (const tenant of tenants) await copyLedger(home, tenant, archive);
  await beforeStep('ended-runs');
  for (const tenant of tenants) await copyEndedRuns(home, tenant, inArchive);
  await beforeStep('files');
  await copyTree(home.dir, inArchive, { isWanted: isPlainPart, skipped });
  for (const [name, dir] of Object.entries(privateDirs ?? {}))
    await copyTree(dir, path.join(archive, privateFolder, name), { isWanted: (file) => !isTemporary(file), skipped });
  await beforeStep('hashes');
  const hasSecrets = privateDirs !== undefined;
  return {
    version: 1,
    createdMs: nowMs,
    clawhold: version,
    from: home.dir,
    hasSecrets,
    databases,
    tenants,
    skipped,
    files: await filesOf(archive),
  };
}

function wantsRuns(relative: string): boolean {
  if (isTemporary(relative)) return false;
  return isRunsPart(relative) || relative === 'tenants' || /^tenants\/[^/]+$/.test(relative);
}

async function copyDatabases(home: Home, inArchive: string): Promise<BackupManifest['databases']> {
  const names = fs
    .readdirSync(home.dir)
    .filter((name) => name.endsWith('.db'))
    .toSorted();
  await snapshotDatabases(names.map((name) => ({ from: path.join(home.dir, name), to: path.join(inArchive, name) })));
  return names.map((file) => ({ file, schema: inspectDatabase(path.join(inArchive, file)).schema }));
}

async function copyTree(
  from: string,
  to: string,
  { isWanted, skipped }: { readonly isWanted: (relative: string) => boolean; readonly skipped: string[] },
): Promise<void> {
  await inBatches(walkFiles(from, isWanted), width, async (file) => {
    const isNamed = isArchivePath(`${homeFolder}/${file.path}`);
    const copied = file.isFile && isNamed ? await copyFile(path.join(from, file.path), path.join(to, file.path)) : undefined;
    const isThere = (): boolean => fs.lstatSync(path.join(from, file.path), { throwIfNoEntry: false }) !== undefined;
    if (copied === undefined && (!isNamed || isThere())) skipped.push(file.path);
  });
}

function tenantsOf(home: Home): TenantId[] {
  const dir = path.join(home.dir, 'tenants');
  if (!fs.existsSync(dir)) return [];
  const entries = fs.readdirSync(dir, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entries.flatMap(({ name }) => (/^[a-z][a-z0-9-]{0,62}$/.test(name) ? [parseTenantId(name)] : [])).toSorted();
}

/** The newest checkpoint lies apart, so that `verify` holds the ledger to it. */
async function copyLedger(home: Home, tenant: TenantId, archive: string): Promise<void> {
  const dir = home.ledgerDir(tenant);
  if (!fs.existsSync(dir)) return;
  const { checkpointFile } = await exportLedger(dir, path.join(archive, homeFolder, 'tenants', tenant));
  if (checkpointFile === undefined) return;
  fs.mkdirSync(path.join(archive, 'checkpoints'), { recursive: true, mode: 0o700 });
  fs.renameSync(checkpointFile, path.join(archive, 'checkpoints', `${tenant}.json`));
}

async function copyEndedRuns(home: Home, tenant: TenantId, inArchive: string): Promise<void> {
  const ledger = path.join(inArchive, 'tenants', tenant, 'ledger');
  if (!fs.existsSync(ledger)) return;
  for await (const { event } of readLedger(ledger, { type: 'run.end' })) {
    if (event.type !== 'run.end') continue;
    const from = home.runDir(tenant, parseRunId(event.run));
    const to = path.join(inArchive, path.relative(home.dir, from));
    if ((await hasFiles(to, event.files)) || !fs.existsSync(from)) continue;
    fs.rmSync(to, { recursive: true, force: true });
    await copyTree(from, to, { isWanted: (file) => !isTemporary(file), skipped: [] });
  }
}

async function hasFiles(dir: string, files: Readonly<Record<string, string>>): Promise<boolean> {
  for (const [name, hash] of Object.entries(files)) if ((await hashFile(path.join(dir, name)))?.sha256 !== hash) return false;
  return true;
}

/** What the manifest says is what lies on the disk, durable: many at a time, for a sync waits mostly for others. */
async function filesOf(archive: string): Promise<BackupFile[]> {
  const files: BackupFile[] = [];
  await inBatches(walkFiles(archive), 4 * width, async ({ path: file }) => {
    await using handle = await fs.promises.open(path.join(archive, file), 'r');
    await handle.sync();
    const facts = await hashFile(path.join(archive, file));
    if (facts !== undefined) files.push({ path: file, ...facts });
  });
  return files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
}
