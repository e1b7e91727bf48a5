import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod/mini';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';
import { isOwnPart } from './home-parts.ts';

export const manifestName = 'manifest.json';
/** The home's files lie below it in an archive. */
export const homeFolder = 'home';
/** Signing key and secrets, in an archive that was asked to hold them. */
export const privateFolder = 'private';

/** More than a string can hold is no manifest of ours. */
const maxManifestBytes = 500 * 1024 * 1024;

/**
 * A path below an archive, in one spelling only: whatever could lead elsewhere (absolute, `..`, backslashes, control
 * characters, an empty or dotted part) or was no text on the disk is refused, not repaired.
 */
export function isArchivePath(text: string): boolean {
  if (text.length > 1024 || /[\\\p{Cc}\uFFFD]/u.test(text)) return false;
  const parts = text.split('/');
  if (parts.some((part) => part === '' || part === '.' || part === '..' || Buffer.byteLength(part) > 255)) return false;
  return parts.length > 1 && (parts[0] === homeFolder || parts[0] === privateFolder || parts[0] === 'checkpoints');
}

const archivePath = z.string().check(z.refine(isArchivePath, 'must be a path below home, private or checkpoints without ..'));
const count = z.number().check(z.int(), z.nonnegative());

/** What an archive holds; it is written last, so an archive without it is not one. */
export const backupManifest = z.strictObject({
  version: z.literal(1),
  createdMs: count,
  clawhold: z.string(),
  /** Where the home was, for people. */
  from: z.string(),
  hasSecrets: z.boolean(),
  /** Databases, relative to the home: all of one moment. */
  databases: z.array(z.strictObject({ file: z.string(), schema: count })),
  tenants: z.array(z.string().check(z.regex(/^[a-z][a-z0-9-]{0,62}$/))),
  /** Links, other things that are no files, and names that an archive does not hold; they are not in it. */
  skipped: z.array(z.string()),
  files: z.array(z.strictObject({ path: archivePath, bytes: count, sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)), mode: count })),
});
export type BackupManifest = z.infer<typeof backupManifest>;
export type BackupFile = BackupManifest['files'][number];

/** @throws FixRequestError `ops.bad-archive` when there is none, or none that can be read. */
export function readManifestText(archive: string): string {
  const file = path.join(archive, manifestName);
  const facts = fs.lstatSync(file, { throwIfNoEntry: false });
  if (!fs.existsSync(archive)) throw badArchive(archive, 'there is no such folder');
  if (facts?.isFile() !== true) throw badArchive(archive, `there is no ${manifestName} in it, so it is no finished backup`);
  if (facts.size > maxManifestBytes) throw badArchive(archive, `its ${manifestName} has ${facts.size} bytes, which no backup needs`);
  return fs.readFileSync(file, 'utf8');
}

/** @throws FixRequestError `ops.bad-archive` */
export function parseManifest(text: string, archive: string): BackupManifest {
  let manifest: BackupManifest;
  try {
    manifest = backupManifest.parse(JSON.parse(text));
  } catch (error) {
    throw badArchive(archive, `its ${manifestName} is not valid: ${whyBad(error)}`, error);
  }
  const paths = new Set(manifest.files.map((file) => file.path));
  if (paths.size !== manifest.files.length) throw badArchive(archive, `its ${manifestName} names a file twice`);
  const databases = new Set(manifest.databases.map(({ file }) => `${homeFolder}/${file}`));
  const foreign = manifest.files.find((file) => isForeign(file.path) && !databases.has(file.path));
  if (foreign !== undefined) throw badArchive(archive, `its ${manifestName} names ${foreign.path}, which no backup holds`);
  return manifest;
}

/** Of a process, not of a home: a server's address, a lock, a journal that a database would play back when it is opened. */
function isForeign(file: string): boolean {
  return file.startsWith(`${homeFolder}/`) && isOwnPart(file.slice(homeFolder.length + 1));
}

/** Not `instanceof`: naming zod's error class would load all of zod. */
function whyBad(error: unknown): string {
  const issues = (error as { readonly issues?: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] }).issues;
  return issues?.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ') ?? reasonOf(error);
}

export function badArchive(archive: string, why: string, cause?: unknown): FixRequestError {
  return new FixRequestError(
    'ops.bad-archive',
    `The backup ${archive} is not used: ${why.replace(/\.$/, '')}. Take another backup; nothing was restored from this one.`,
    cause === undefined ? {} : { cause },
  );
}

/** Where a path of an archive lies on the disk. */
export function placeIn(archive: string, file: string): string {
  return path.join(archive, ...file.split('/'));
}
