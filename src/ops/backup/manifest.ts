import path from 'node:path';
import * as z from 'zod/mini';
import { FixRequestError, reasonOf } from '../../contracts/errors.ts';

export const manifestName = 'manifest.json';
/** The home's files lie below it in an archive. */
export const homeFolder = 'home';
/** Signing key and secrets, in an archive that was asked to hold them. */
export const privateFolder = 'private';

/**
 * A path below an archive, in one spelling only: whatever could lead elsewhere (absolute, `..`, backslashes, control
 * characters, an empty or dotted part) is refused, not repaired.
 */
function isArchivePath(text: string): boolean {
  if (text.length > 1024 || /[\\\p{Cc}]/u.test(text)) return false;
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
  /** Links and other things that are no files; they are not in the archive. */
  skipped: z.array(z.string()),
  files: z.array(z.strictObject({ path: archivePath, bytes: count, sha256: z.string().check(z.regex(/^[0-9a-f]{64}$/)), mode: count })),
});
export type BackupManifest = z.infer<typeof backupManifest>;
export type BackupFile = BackupManifest['files'][number];

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
  return manifest;
}

/** Not `instanceof`: naming zod's error class would load all of zod. */
function whyBad(error: unknown): string {
  const issues = (error as { readonly issues?: readonly { readonly path: readonly PropertyKey[]; readonly message: string }[] }).issues;
  return issues?.map((issue) => `${issue.path.join('.')} ${issue.message}`).join('; ') ?? reasonOf(error);
}

export function badArchive(archive: string, why: string, cause?: unknown): FixRequestError {
  return new FixRequestError(
    'ops.bad-archive',
    `The backup ${archive} is not used: ${why}. Take another backup; nothing was restored from this one.`,
    cause === undefined ? {} : { cause },
  );
}

/** Where a path of an archive lies on the disk. */
export function placeIn(archive: string, file: string): string {
  return path.join(archive, ...file.split('/'));
}
