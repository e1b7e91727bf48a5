import { realpathSync } from 'node:fs';
import path from 'node:path';

/** Where a path leads, links followed as far as it exists. */
export function realPlace(dir: string): string {
  try {
    return realpathSync(dir);
  } catch {
    // silent-ok: what is not there yet will be made in the nearest folder that is.
    return path.dirname(dir) === dir ? dir : path.join(realPlace(path.dirname(dir)), path.basename(dir));
  }
}

/** Whether a folder is reached through a link beneath `root`, or, where it lies elsewhere, through one at all. */
export function isReachedThroughLink(root: string, dir: string): boolean {
  const base = isWithin(dir, root) ? root : path.parse(dir).root;
  return realPlace(dir) !== path.join(realPlace(base), path.relative(base, dir));
}

/** By their names: links are not followed. */
export function isWithin(dir: string, base: string): boolean {
  return dir === base || dir.startsWith(base.endsWith(path.sep) ? base : base + path.sep);
}
