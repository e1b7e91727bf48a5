import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod/mini';
import type { Home } from '../../state/home.ts';

const lastBackup = z.object({ archive: z.string(), id: z.string(), createdMs: z.number() });
export type LastBackup = z.infer<typeof lastBackup>;

export function lastBackupFile(home: Home): string {
  return path.join(home.dir, 'last-backup.json');
}

/** What the last backup of a home said of itself; undefined when there was none. */
export function readLastBackup(home: Home): LastBackup | undefined {
  try {
    return lastBackup.parse(JSON.parse(fs.readFileSync(lastBackupFile(home), 'utf8')));
  } catch {
    // silent-ok: no backup, or a note that cannot be read, which doctor treats alike.
    return undefined;
  }
}
