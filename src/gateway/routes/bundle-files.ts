import fs from 'node:fs';
import path from 'node:path';

/** A file that a run left. */
export interface BundleFile {
  /** Within the run's folder, with `/`. */
  readonly name: string;
  readonly bytes: number;
}

const top: ReadonlySet<string> = new Set(['run.json', 'journal.jsonl', 'input.md', 'output.md', 'cost_telemetry.jsonl']);
const folders: ReadonlySet<string> = new Set(['tools']);

/**
 * The files of a bundle: plain files under the names that a run gives them. Links and everything else are not there, nor
 * are copies of files that were kept for undo: nothing is hidden in those.
 */
export function listBundle(dir: string): BundleFile[] {
  const files: BundleFile[] = [];
  for (const entry of readDir(dir)) {
    if (entry.isFile() && top.has(entry.name)) files.push({ name: entry.name, bytes: sizeOf(path.join(dir, entry.name)) });
    if (!entry.isDirectory() || !folders.has(entry.name)) continue;
    for (const inner of readDir(path.join(dir, entry.name))) {
      if (inner.isFile() && /^[\w.-]{1,200}$/.test(inner.name) && !inner.name.startsWith('.'))
        files.push({ name: `${entry.name}/${inner.name}`, bytes: sizeOf(path.join(dir, entry.name, inner.name)) });
    }
  }
  return files.toSorted((a, b) => (a.name < b.name ? -1 : 1));
}

/** Opens one of `listBundle`'s files and no other; undefined when it is none of them. The caller closes it. */
export function openBundleFile(dir: string, name: string): { readonly fd: number; readonly bytes: number } | undefined {
  if (!listBundle(dir).some((file) => file.name === name)) return undefined;
  try {
    const fd = fs.openSync(path.join(dir, name), fs.constants.O_RDONLY | fs.constants.O_NOFOLLOW | fs.constants.O_NONBLOCK);
    const stat = fs.fstatSync(fd);
    if (stat.isFile()) return { fd, bytes: stat.size };
    fs.closeSync(fd);
    return undefined;
  } catch (error) {
    if (['ENOENT', 'ELOOP'].includes((error as NodeJS.ErrnoException).code ?? '')) return undefined;
    throw error;
  }
}

function readDir(dir: string): fs.Dirent[] {
  try {
    return fs.readdirSync(dir, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

function sizeOf(file: string): number {
  return fs.lstatSync(file, { throwIfNoEntry: false })?.size ?? 0;
}
