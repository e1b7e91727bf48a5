import { chownSync, closeSync, lstatSync, mkdirSync, openSync } from 'node:fs';
import { lstat, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { MaskMount } from './plan-masks.ts';

/** An empty file or folder in a workspace, made only to mount over it. */
export interface Placeholder {
  readonly path: string;
  readonly ino: number;
  readonly dev: number;
}

/** What appeared meanwhile is left alone and not listed. */
export function makePlaceholders(
  workspace: string,
  mounts: readonly MaskMount[],
  owner: { readonly uid: number; readonly gid: number },
): Placeholder[] {
  const made: Placeholder[] = [];
  for (const mount of mounts.filter(({ missing }) => missing)) {
    const target = path.join(workspace, mount.path);
    if (!create(target, mount.kind)) continue;
    chownSync(target, owner.uid, owner.gid);
    const { ino, dev } = lstatSync(target);
    made.push({ path: target, ino, dev });
  }
  return made;
}

function create(target: string, kind: MaskMount['kind']): boolean {
  try {
    if (kind === 'folder') mkdirSync(target, { mode: 0o755 });
    else closeSync(openSync(target, 'wx', 0o644));
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  }
}

/** Takes away what is still the same and still empty: anything else belongs to someone. */
export async function removePlaceholders(placeholders: readonly Placeholder[]): Promise<void> {
  for (const placeholder of placeholders.toReversed()) {
    const found = await lstat(placeholder.path).catch(() => undefined);
    if (found === undefined || found.ino !== placeholder.ino || found.dev !== placeholder.dev) continue;
    if (found.isDirectory()) await rmdir(placeholder.path).catch(() => {}); // silent-ok: not empty any more
    else if (found.isFile() && found.size === 0) await unlink(placeholder.path).catch(() => {}); // silent-ok: gone
  }
}
