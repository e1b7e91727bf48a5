import fs from 'node:fs';
import path from 'node:path';
import { sha256 } from '../contracts/json.ts';
import { verifyLedger } from '../governance/verify-ledger.ts';
import { inspectDatabase } from '../state/inspect-database.ts';
import { hashFile } from './backup/hash-file.ts';
import {
  homeFolder,
  manifestName,
  parseManifest,
  placeIn,
  readManifestText,
  type BackupFile,
  type BackupManifest,
} from './backup/manifest.ts';
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
  const text = readManifestText(archive);
  return { manifest: parseManifest(text, archive), id: sha256(text) };
}

async function fileProblems(archive: string, manifest: BackupManifest): Promise<string[]> {
  const problems: string[] = [];
  const replaced = new Set<string>();
  const expected = new Map(manifest.files.map((file) => [file.path, file]));
  for await (const { path: name, isFile } of walkFiles(archive)) {
    if (name === manifestName) continue;
    const file = expected.get(name);
    if (file === undefined) problems.push(`${name} is in the archive, but not in its manifest: it was put there.`);
    else if (!isFile) {
      replaced.add(name);
      problems.push(`${name} is no file but a link or a device: it was put in a file's place.`);
    } else {
      expected.delete(name);
      if (!(await hasBytes(placeIn(archive, name), file))) problems.push(`${name} is damaged: its bytes are not those that were copied.`);
    }
  }
  for (const name of expected.keys()) if (!replaced.has(name)) problems.push(`${name} is missing.`);
  return problems;
}

/** Its size first: nobody waits while a file of terabytes is hashed that was put in a small one's place. */
async function hasBytes(place: string, { bytes, sha256: hash }: BackupFile): Promise<boolean> {
  if (fs.lstatSync(place, { throwIfNoEntry: false })?.size !== bytes) return false;
  return (await hashFile(place))?.sha256 === hash;
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
