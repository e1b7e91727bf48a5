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

/**
 * The mount points of all sandboxes of a driver. One that a sandbox made is there for the next one too, which mounts over
 * it as well: whoever is the last takes it away, so that no mask loses its mount point before.
 */
export interface PlaceholderShelf {
  /** Makes what is missing, and lists what the caller now holds. */
  hold(workspace: string, mounts: readonly MaskMount[], owner: { readonly uid: number; readonly gid: number }): readonly Placeholder[];
  release(placeholders: readonly Placeholder[]): Promise<void>;
}

export function newPlaceholderShelf(): PlaceholderShelf {
  const held = new Map<string, { readonly placeholder: Placeholder; holders: number }>();
  return {
    hold(workspace, mounts, owner) {
      for (const placeholder of makePlaceholders(workspace, mounts, owner)) held.set(placeholder.path, { placeholder, holders: 0 });
      const shared = mounts.flatMap((mount) => {
        const found = held.get(path.join(workspace, mount.path));
        return found !== undefined && (mount.missing || mount.ino === found.placeholder.ino) ? [found] : [];
      });
      for (const one of shared) one.holders += 1;
      return shared.map(({ placeholder }) => placeholder);
    },
    async release(placeholders) {
      const last = placeholders.filter((placeholder) => {
        const found = held.get(placeholder.path);
        if (found?.placeholder.ino !== placeholder.ino) return false;
        found.holders -= 1;
        if (found.holders > 0) return false;
        return held.delete(placeholder.path);
      });
      await removePlaceholders(last);
    },
  };
}

/** What appeared meanwhile is left alone and not listed. */
function makePlaceholders(
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
