import fs from 'node:fs';
import { agentFile } from '../path/agent-file.ts';
import { isProtectedName, nameFault } from '../path/name-fault.ts';
import type { RootPath } from '../path.ts';
import { locate, locateSelf, verify, type Directory } from './directory.ts';
import { Refusal } from './refusal.ts';
import { enter, isProtectedPlace, type OpenRoots, type Place } from './root.ts';

export interface ListOptions {
  /** 1: the folder's own entries. */
  readonly depth: number;
  readonly maxEntries: number;
  /** Which entries are reported; folders are entered in any case. Given the path relative to the listed folder. */
  readonly include?: (path: string) => boolean;
}

export interface FolderEntry {
  /** Relative to the listed folder. */
  readonly path: string;
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  /** Of a file. */
  readonly bytes?: number;
  /** Whether a tool could use the path; a name with invisible characters, for example, cannot be written down. */
  readonly isReachable: boolean;
}

export interface Listing {
  readonly entries: readonly FolderEntry[];
  /** Whether something was left out because of a limit. */
  readonly truncated: boolean;
}

/** Names looked at in one listing, reported or not. */
const maxVisited = 50_000;

interface Visit {
  readonly roots: OpenRoots;
  readonly at: RootPath;
  readonly options: ListOptions;
  readonly entries: FolderEntry[];
  visited: number;
  truncated: boolean;
}

/** Entries in the order of their names' code units, a folder before what is in it. Protected names are left out. */
export function listPlace(roots: OpenRoots, at: RootPath, task: { readonly place: Place; readonly options: ListOptions }): Listing {
  const { place, options } = task;
  const visit: Visit = { roots, at, options, entries: [], visited: 0, truncated: false };
  const work = (folder: Directory): void => listFolder(visit, folder, { prefix: '', depth: options.depth });
  if (place.name === '.') work(place.folder);
  else entered(visit, place, work);
  return { entries: visit.entries, truncated: visit.truncated };
}

function listFolder(visit: Visit, folder: Directory, level: { readonly prefix: string; readonly depth: number }): void {
  const names = readNames(visit, folder).toSorted((a, b) => (a.name < b.name ? -1 : 1));
  for (const entry of names) {
    if (visit.truncated) return;
    const path = level.prefix + entry.name;
    if (isProtectedName(entry.name) || !isVisible(visit, path)) continue;
    report(visit, folder, { entry, path });
    if (!entry.isDirectory() || level.depth <= 1 || nameFault(entry.name) !== undefined) continue;
    try {
      const next = { prefix: `${path}/`, depth: level.depth - 1 };
      entered(visit, { folder, name: entry.name, shown: path }, (child) => listFolder(visit, child, next));
    } catch (thrown) {
      // A folder that went away, became a link or is protected is shown and not entered.
      if (!(thrown instanceof Refusal) && !(thrown instanceof Error && 'syscall' in thrown)) throw thrown;
    }
  }
}

interface Step {
  readonly folder: Directory;
  readonly name: string;
  readonly shown: string;
}

function entered(visit: Visit, step: Step, work: (child: Directory) => void): void {
  const child = enter(visit.roots, step.folder, step);
  try {
    work(child);
    verify(child, step.shown);
  } finally {
    fs.closeSync(child.fd);
  }
}

function readNames(visit: Visit, folder: Directory): fs.Dirent[] {
  const stream = fs.opendirSync(locateSelf(folder));
  const found: fs.Dirent[] = [];
  try {
    for (let entry = stream.readSync(); entry !== null; entry = stream.readSync()) {
      visit.visited += 1;
      if (visit.visited > maxVisited) {
        visit.truncated = true;
        break;
      }
      found.push(entry);
    }
  } finally {
    stream.closeSync();
  }
  return found;
}

function report(visit: Visit, folder: Directory, found: { readonly entry: fs.Dirent; readonly path: string }): void {
  const { entry, path } = found;
  if (visit.options.include?.(path) === false) return;
  if (visit.entries.length >= visit.options.maxEntries) {
    visit.truncated = true;
    return;
  }
  const kind = entry.isFile() ? 'file' : entry.isDirectory() ? 'folder' : entry.isSymbolicLink() ? 'link' : 'other';
  const bytes = kind === 'file' ? fs.lstatSync(locate(folder, entry.name), { throwIfNoEntry: false })?.size : undefined;
  const isReachable = nameFault(entry.name) === undefined && !entry.name.includes('\ufffd') && (kind === 'file' || kind === 'folder');
  visit.entries.push({ path, kind, isReachable, ...(bytes === undefined ? {} : { bytes }) });
}

/** Of the agent's own folder only the files that exist for it are shown, of any other nothing that is protected. */
function isVisible({ roots, at }: Visit, path: string): boolean {
  const whole = at.path === '.' ? path : `${at.path}/${path}`;
  return at.root === 'agent' ? agentFile(whole) === whole : !isProtectedPlace(roots, { root: at.root, path: whole });
}
