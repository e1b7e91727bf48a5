import assert from 'node:assert/strict';
import fs from 'node:fs';
import path from 'node:path';
import { AskHumanError } from '../../contracts/errors.ts';
import { sha256, type Sha256 } from '../../contracts/json.ts';
import { writeFileAtomic } from '../atomic-file.ts';
import { makeDurableDir } from '../durable-dir.ts';
import { notWritable } from '../not-writable.ts';
import type { Objects } from '../objects.ts';

const maxSeen = 4096;

/**
 * One file an object, mode 0600, in folders named by the hash's first two digits. A store that stays open reads an
 * object to check it once, and again when its file is not the one that was checked.
 */
export function diskObjects(dir: string): Objects {
  const seen = new Map<Sha256, fs.Stats>();
  return {
    put: async (bytes) => {
      const sha = sha256(bytes);
      const file = fileOf(dir, sha);
      const identity = identityOf(file);
      if (identity !== undefined && isSame(identity, seen.get(sha))) return sha;
      if (isIntact(file, { sha, size: Buffer.byteLength(bytes) })) {
        if (seen.size >= maxSeen) seen.clear();
        if (identity !== undefined) seen.set(sha, identity);
        return sha;
      }
      try {
        makeDurableDir(path.dirname(file));
        await writeFileAtomic(file, bytes, { mode: 0o600 });
      } catch (error) {
        throw notWritable(file, error);
      }
      return sha;
    },
    get: async (sha) => readVerified(fileOf(dir, sha), sha),
    has: async (sha) => fs.existsSync(fileOf(dir, sha)),
    remove: async (sha) => fs.rmSync(fileOf(dir, sha), { force: true }),
  };
}

function fileOf(dir: string, sha: Sha256): string {
  assert(/^[0-9a-f]{64}$/.test(sha), 'an object is named by 64 hex digits');
  return `${dir}${path.sep}${sha.slice(0, 2)}${path.sep}${sha}`;
}

function identityOf(file: string): fs.Stats | undefined {
  return fs.statSync(file, { throwIfNoEntry: false });
}

/** Another file, or one that was written to, is not the same. */
function isSame(now: fs.Stats, then: fs.Stats | undefined): boolean {
  return (
    now.ino === then?.ino && now.ctimeMs === then.ctimeMs && now.mtimeMs === then.mtimeMs && now.size === then.size && now.dev === then.dev
  );
}

/** The rename that made the file came after its fsync, so a file with the right bytes now is a durable one. */
function isIntact(file: string, want: { readonly sha: Sha256; readonly size: number }): boolean {
  const stat = fs.statSync(file, { throwIfNoEntry: false });
  if (stat?.size !== want.size) return false;
  return sha256(fs.readFileSync(file)) === want.sha;
}

function readVerified(file: string, sha: Sha256): Uint8Array {
  let bytes: Uint8Array;
  try {
    bytes = fs.readFileSync(file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
    throw new AskHumanError(
      'state.object-missing',
      `The object ${sha} is not at ${file}: it was pruned or deleted. Restore it from a backup.`,
      { cause: error },
    );
  }
  const actual = sha256(bytes);
  if (actual === sha) return bytes;
  throw new AskHumanError(
    'state.object-damaged',
    `The object ${file} is damaged: its bytes hash to ${actual}, not to its name. Restore it from a backup; do not use what depends on it.`,
  );
}
