import { lstatSync, readlinkSync, realpathSync } from 'node:fs';
import path from 'node:path';

const maxLinks = 40;

/**
 * Where a path leads, links followed as far as it exists, also those that lead to what is not there yet. Links that lead
 * in a circle lead to the root of the disk, which is nobody's own.
 */
export function realPlace(dir: string, left = maxLinks): string {
  try {
    return realpathSync(dir);
  } catch {
    // silent-ok: what is not there yet will be made in the nearest folder that is.
    if (path.dirname(dir) === dir || left === 0) return path.parse(dir).root;
    const here = path.join(realPlace(path.dirname(dir), left), path.basename(dir));
    const target = targetOf(here);
    return target === undefined ? here : realPlace(path.resolve(path.dirname(here), target), left - 1);
  }
}

/** Undefined: it is no link, or not there. */
function targetOf(file: string): string | undefined {
  return lstatSync(file, { throwIfNoEntry: false })?.isSymbolicLink() === true ? readlinkSync(file) : undefined;
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

/** A folder as it is called from a root on, if it lies in it: records have this name, and who reads them is not told where the root is. */
export function nameFrom(root: string, dir: string): string {
  return isWithin(dir, root) ? path.relative(root, dir) || '.' : dir;
}
