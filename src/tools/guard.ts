import fs from 'node:fs';
import { sha256, type Sha256 } from '../contracts/json.ts';
import type { Directory } from './guard/directory.ts';
import { listPlace, type FolderEntry, type Listing, type ListOptions } from './guard/list-folder.ts';
import { badRoot, findProtected, openRoot, refuseProtectedRoot } from './guard/open-root.ts';
import { readRegular, statPlace, type FileContent } from './guard/read-file.ts';
import { Refusal, refusalOf } from './guard/refusal.ts';
import { atPlace, atWritablePlace, enter, requireWritable, type OpenRoots } from './guard/root.ts';
import { removeRegular, replaceRegular } from './guard/write-file.ts';
import { displayPath, type RootName, type RootPath } from './path.ts';
import type { RootMemory } from './root-memory.ts';
import type { ToolCode } from './tool-code.ts';

export type { FileContent, FolderEntry, Listing, ListOptions };

/** Why a file operation was not done: a code and a sentence for the model. Nothing was changed. */
export interface Refused {
  readonly refused: ToolCode;
  readonly text: string;
}

export interface PathFacts {
  readonly kind: 'file' | 'folder' | 'link' | 'other';
  readonly bytes: number;
  readonly mode: number;
}

/**
 * The open roots of one agent: the only way to its files.
 *
 * Contract, checked by guard.test.ts and guard-race.test.ts:
 * - no path leads outside its root, whatever the paths are renamed or linked to meanwhile (`race-free`);
 * - links are never followed; only regular files with a single name are opened; nothing waits on a FIFO or a device;
 * - `.git`, `.clawhold`, the agent's own folder, every other root and `protectedDirs` cannot be reached from a root;
 * - a root stays the folder that was opened, even when another takes its name;
 * - a file is replaced whole or not at all;
 * - once disposed, every operation is refused; what was under way is waited for.
 */
export interface Roots extends AsyncDisposable {
  /** `race-free` where descriptors can be walked (Linux with /proc); elsewhere folders are compared before and after. */
  readonly assurance: 'race-free' | 'best-effort';
  readonly names: readonly RootName[];
  /** Default: the whole file, at most 16 MiB. */
  read(at: RootPath, range?: { readonly maxBytes?: number; readonly start?: number; readonly length?: number }): FileContent | Refused;
  stat(at: RootPath): PathFacts | Refused;
  hash(at: RootPath): Sha256 | Refused;
  list(at: RootPath, options: ListOptions): Listing | Refused;
  /** Creates or replaces a file, with the folders above it. `expect`: the hash that the target must still have. */
  write(
    at: RootPath,
    bytes: Uint8Array,
    options?: { readonly expect?: Sha256 | 'absent' },
  ): Promise<{ readonly created: boolean } | Refused>;
  remove(at: RootPath, options?: { readonly expect?: Sha256 }): Promise<{ readonly removed: boolean } | Refused>;
  /** Runs `work` with a folder held open, for a child process that starts in it (`/proc/<pid>/fd/<fd>` or its path). */
  within<T>(at: RootPath, work: (folder: { readonly location: string }) => Promise<T>): Promise<T | Refused>;
}

export interface OpenRootsOptions {
  /** Folders that no root may lie in or reach, for example the home, whether they exist yet or not: absolute. */
  readonly protectedDirs?: readonly string[];
  /** For tests: use the weaker mechanism although the stronger exists. */
  readonly assurance?: 'best-effort';
  /** Of a process that opens the same roots again and again. */
  readonly memory?: RootMemory;
}

const maxFileBytes = 16 * 1024 * 1024;

export function isRefused(value: unknown): value is Refused {
  return typeof value === 'object' && value !== null && 'refused' in value;
}

/**
 * Opens the roots and holds them.
 *
 * @throws FixRequestError `tools.bad-root` when a folder is missing, or is one that an agent must not have.
 */
export async function openRoots(specs: readonly RootName[], options: OpenRootsOptions = {}): Promise<Roots> {
  const { memory } = options;
  const closed = (options.protectedDirs ?? []).map((dir) => memory?.protectedDir(dir, findProtected) ?? findProtected(dir));
  const protectedDirs = closed.map(({ real }) => real);
  const directories = new Map<string, Directory>();
  const protectedIds = new Set<string>();
  try {
    const names = specs.map((spec) => {
      if (directories.has(spec.name)) throw badRoot(spec, 'another root has that name');
      const directory = openRoot(spec, options);
      directories.set(spec.name, directory);
      const dir = directory.path;
      if (spec.name !== 'agent') refuseProtectedRoot(spec, dir, protectedDirs);
      const id = `${directory.dev}:${directory.ino}`;
      if (protectedIds.has(id)) throw badRoot(spec, 'another root is the same folder, and one folder cannot have the rights of two names');
      // A root is entered by its own name only, from above it too.
      protectedIds.add(id);
      return { ...spec, dir };
    });
    for (const { id } of closed) if (id !== undefined) protectedIds.add(id);
    return rootsOf({ names, directories, protectedIds, protectedDirs });
  } catch (thrown) {
    for (const directory of directories.values()) fs.closeSync(directory.fd);
    throw thrown;
  }
}

function rootsOf(open: OpenRoots & { readonly directories: Map<string, Directory> }): Roots {
  const pending = new Set<Promise<unknown>>();
  const isPinned = [...open.directories.values()].every((directory) => directory.isPinned);
  const read: Roots['read'] = (at, range) =>
    guarded(at, () => atPlace(open, at, (place) => readRegular(place, { maxBytes: maxFileBytes, ...range })));
  return {
    assurance: isPinned ? 'race-free' : 'best-effort',
    names: open.names,
    read,
    stat: (at) => guarded(at, () => atPlace(open, at, (place) => factsOf(statPlace(place), place.shown))),
    hash: (at) => {
      const content = read(at);
      return isRefused(content) ? content : sha256(content.bytes);
    },
    list: (at, options) => guarded(at, () => atPlace(open, at, (place) => listPlace(open, at, { place, options }))),
    write: async (at, bytes, options) => {
      const work = async (): Promise<{ readonly created: boolean }> =>
        await atWritablePlace(open, at, (place) => replaceRegular(place, bytes, { maxBytes: maxFileBytes, ...options }));
      return await tracked(pending, guardedAsync(at, work));
    },
    remove: async (at, options) =>
      guarded(at, () => {
        requireWritable(open, at);
        return atPlace(open, at, (place) => ({ removed: removeRegular(place, { maxBytes: maxFileBytes, ...options }) }));
      }),
    within: async (at, work) =>
      await tracked(
        pending,
        guardedAsync(at, async () => await withinFolder(open, at, work)),
      ),
    [Symbol.asyncDispose]: async () => await closeRoots(open.directories, pending),
  };
}

/** A descriptor's number is used again by the next open: nothing may be under way, and nothing may begin, once it is closed. */
async function closeRoots(directories: Map<string, Directory>, pending: ReadonlySet<Promise<unknown>>): Promise<void> {
  const closing = [...directories.values()];
  directories.clear();
  await Promise.allSettled(pending);
  for (const directory of closing) fs.closeSync(directory.fd);
}

async function tracked<T>(pending: Set<Promise<unknown>>, work: Promise<T>): Promise<T> {
  pending.add(work);
  try {
    return await work;
  } finally {
    pending.delete(work);
  }
}

async function withinFolder<T>(open: OpenRoots, at: RootPath, work: (folder: { readonly location: string }) => Promise<T>): Promise<T> {
  const shown = displayPath(at);
  const held = atPlace(open, at, (place) => {
    if (place.name !== '.') return { folder: enter(open, place.folder, { name: place.name, shown }), isOwn: true };
    return { folder: place.folder, isOwn: false };
  });
  try {
    return await work({ location: held.folder.isPinned ? `/proc/${process.pid}/fd/${held.folder.fd}` : held.folder.path });
  } finally {
    if (held.isOwn) fs.closeSync(held.folder.fd);
  }
}

function factsOf(stat: fs.Stats | undefined, shown: string): PathFacts {
  if (stat === undefined) throw new Refusal('fs.not-found', `${shown} does not exist; list the folder to see what does.`);
  const kind = stat.isFile() ? 'file' : stat.isDirectory() ? 'folder' : stat.isSymbolicLink() ? 'link' : 'other';
  return { kind, bytes: stat.size, mode: stat.mode & 0o777 };
}

function guarded<T>(at: RootPath, work: () => T): T | Refused {
  try {
    return work();
  } catch (thrown) {
    const refusal = refusalOf(thrown, displayPath(at));
    return { refused: refusal.code, text: refusal.message };
  }
}

async function guardedAsync<T>(at: RootPath, work: () => Promise<T>): Promise<T | Refused> {
  try {
    return await work();
  } catch (thrown) {
    const refusal = refusalOf(thrown, displayPath(at));
    return { refused: refusal.code, text: refusal.message };
  }
}
