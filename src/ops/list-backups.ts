import fs from 'node:fs';
import path from 'node:path';
import { reasonOf } from '../contracts/errors.ts';
import { readArchive } from './verify-backup.ts';

export interface ListedBackup {
  readonly archive: string;
  readonly id?: string;
  readonly createdMs?: number;
  readonly files?: number;
  readonly bytes?: number;
  readonly hasSecrets?: boolean;
  /** Why it cannot be used. */
  readonly problem?: string;
}

/** The archives in a folder, newest first. Nothing is verified but that each is one. */
export function listBackups(dir: string): ListedBackup[] {
  if (!fs.existsSync(dir)) return [];
  const names = fs.readdirSync(dir).filter((name) => name.startsWith('clawhold-'));
  return names
    .toSorted()
    .toReversed()
    .map((name) => describe(path.join(dir, name)));
}

function describe(archive: string): ListedBackup {
  try {
    const { manifest, id } = readArchive(archive);
    const bytes = manifest.files.reduce((sum, file) => sum + file.bytes, 0);
    return { archive, id, createdMs: manifest.createdMs, files: manifest.files.length, bytes, hasSecrets: manifest.hasSecrets };
  } catch (error) {
    return { archive, problem: reasonOf(error) };
  }
}
