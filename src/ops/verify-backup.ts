import fs from 'node:fs';
import path from 'node:path';
import { sha256 } from '../contracts/json.ts';
import { verifyLedger } from '../governance/verify-ledger.ts';
import { inspectDatabase } from '../state/inspect-database.ts';
import { hashFile } from './backup/hash-file.ts';
import { badArchive, homeFolder, manifestName, parseManifest, placeIn, type BackupManifest } from './backup/manifest.ts';
import { walkFiles } from './backup/walk-files.ts';

export interface BackupReport {
  readonly ok: boolean;
  readonly archive: string;
  readonly id: string;
  readonly createdMs: number;
  readonly files: number;
  readonly bytes: number;
  readonly hasSecrets: boolean;
  /** Records of all tenants' ledgers. */
  readonly ledgerRows: number;
  /** One sentence each, at most 100. */
  readonly problems: readonly string[];
}

const maxProblems = 100;

/**
 * Checks an archive without changing anything: every file is there with its bytes, nothing else is, no link among them,
 * every database is sound, and every ledger verifies up to the checkpoint that was signed when the archive was made.
 * @throws FixRequestError `ops.bad-archive` when it is no archive at all.
 */
export async function verifyBackup(archive: string, options: { readonly id?: string } = {}): Promise<BackupReport> {
  const { manifest, id } = readArchive(archive);
  const problems: string[] = [];
  if (options.id !== undefined && options.id !== id) problems.push(`It is not the backup ${options.id}: its manifest's SHA-256 is ${id}.`);
  problems.push(...(await fileProblems(archive, manifest)));
  const ledgerRows = problems.length === 0 ? await contentProblems(archive, manifest, problems) : 0;
  const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
  const { createdMs, hasSecrets } = manifest;
  const shown = problems.slice(0, maxProblems);
  return {
    ok: problems.length === 0,
    archive,
    id,
    createdMs,
    files: manifest.files.length,
    bytes,
    hasSecrets,
    ledgerRows,
    problems: shown,
  };
}

/** @throws FixRequestError `ops.bad-archive` */
export function readArchive(archive: string): { readonly manifest: BackupManifest; readonly id: string } {
  const file = path.join(archive, manifestName);
  if (fs.lstatSync(file, { throwIfNoEntry: false })?.isFile() !== true)
    throw badArchive(archive, `there is no ${manifestName} in it, so it is no finished backup`);
  const text = fs.readFileSync(file, 'utf8');
  return { manifest: parseManifest(text, archive), id: sha256(text) };
}

async function fileProblems(archive: string, manifest: BackupManifest): Promise<string[]> {
  const problems: string[] = [];
  const expected = new Map(manifest.files.map((file) => [file.path, file]));
  for await (const { path: name, isFile } of walkFiles(archive)) {
    if (name === manifestName) continue;
    const file = expected.get(name);
    if (file === undefined) problems.push(`${name} is in the archive, but not in its manifest: it was put there.`);
    else if (!isFile) problems.push(`${name} is no file but a link or a device: it was put in a file's place.`);
    else {
      expected.delete(name);
      const found = hashFile(placeIn(archive, name));
      if (found?.sha256 !== file.sha256 || found.bytes !== file.bytes)
        problems.push(`${name} is damaged: its bytes are not those that were copied.`);
    }
  }
  for (const name of expected.keys()) if (!problems.some((problem) => problem.startsWith(`${name} `))) problems.push(`${name} is missing.`);
  return problems;
}

/** Looks into what has the right bytes; returns how many records the ledgers have. */
async function contentProblems(archive: string, manifest: BackupManifest, problems: string[]): Promise<number> {
  const names = new Set(manifest.files.map((file) => file.path));
  for (const { file } of manifest.databases) {
    if (!names.has(`${homeFolder}/${file}`)) problems.push(`The database ${file} is missing.`);
    else
      for (const why of inspectDatabase(placeIn(archive, `${homeFolder}/${file}`)).problems)
        problems.push(`The database ${file} is damaged: ${why}.`);
  }
  let rows = 0;
  for (const tenant of manifest.tenants) {
    const dir = path.join(archive, homeFolder, 'tenants', tenant, 'ledger');
    if (!fs.existsSync(dir)) continue;
    const checkpoint = `checkpoints/${tenant}.json`;
    const report = await verifyLedger(
      dir,
      names.has(checkpoint) ? { checkpoint: fs.readFileSync(placeIn(archive, checkpoint), 'utf8') } : {},
    );
    rows += report.rows;
    for (const problem of report.problems)
      problems.push(`The ledger of ${tenant} does not verify: ${problem.file}:${problem.line}: ${problem.message}`);
  }
  return rows;
}
