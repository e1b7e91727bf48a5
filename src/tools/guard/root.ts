import fs from 'node:fs';
import { nameFault, isProtectedName } from '../path/name-fault.ts';
import { agentFile } from '../path/agent-file.ts';
import { displayPath, writeFault, type RootName, type RootPath } from '../path.ts';
import { locate, openChild, verify, type Directory } from './directory.ts';
import { errnoOf, Refusal } from './refusal.ts';

/** The open roots, as the guard's operations see them. */
export interface OpenRoots {
  readonly names: readonly RootName[];
  readonly directories: ReadonlyMap<string, Directory>;
  /** `dev:ino` of folders that may not be entered from any root, whatever they are called there. */
  readonly protectedIds: ReadonlySet<string>;
  /** Their paths: they may not exist yet, and then an agent must not be the one who makes them. */
  readonly protectedDirs: readonly string[];
}

/** A file's or folder's place: the held folder that contains it and its name there. */
export interface Place {
  readonly folder: Directory;
  /** `.` for the root itself. */
  readonly name: string;
  /** For messages. */
  readonly shown: string;
}

/**
 * Walks to the folder that holds `at`, checks every name again (callers may be wrong), and runs `work` there.
 * Every descriptor is closed when `work` has settled.
 */
export function atPlace<T>(roots: OpenRoots, at: RootPath, work: (place: Place) => T): T {
  const walked = walk(roots, at, false);
  return closing(walked, () => work(walked.place));
}

/** The same for a file that is made or replaced: the path must be writable, and missing folders are made. */
export async function atWritablePlace<T>(roots: OpenRoots, at: RootPath, work: (place: Place) => Promise<T>): Promise<T> {
  requireWritable(roots, at);
  const walked = walk(roots, at, true);
  try {
    return await work(walked.place);
  } finally {
    for (const fd of walked.opened) fs.closeSync(fd);
  }
}

/** Why a path is not one that can be written, as a Refusal. */
export function requireWritable(roots: OpenRoots, at: RootPath): void {
  const fault = writeFault(at, roots.names);
  if (fault !== undefined) throw new Refusal('fs.read-only', `${displayPath(at)} ${fault}.`);
  if (at.path === '.') throw new Refusal('fs.not-a-file', `${displayPath(at)} is a folder, not a file; name a file in it.`);
}

/** Opens the sub-folder `name` of a held folder, under every rule that a walk has. The caller closes it. */
export function enter(roots: OpenRoots, folder: Directory, step: { readonly name: string; readonly shown: string }): Directory {
  checkName(step.name, step.shown);
  const child = openChild(folder, step.name, step.shown);
  if (!roots.protectedIds.has(`${child.dev}:${child.ino}`)) return child;
  fs.closeSync(child.fd);
  throw new Refusal('fs.protected', `${step.shown} is protected: no tool may touch it.`);
}

/** Whether the path is, or lies in, a protected folder. As links are never followed, its spelling is its place. */
export function isProtectedPlace(roots: OpenRoots, at: RootPath): boolean {
  const dir = roots.names.find((root) => root.name === at.root)?.dir ?? '';
  const whole = at.path === '.' ? dir : `${dir === '/' ? '' : dir}/${at.path}`;
  return at.root !== 'agent' && roots.protectedDirs.some((closed) => whole === closed || whole.startsWith(`${closed}/`));
}

interface Walked {
  readonly place: Place;
  readonly opened: readonly number[];
}

function closing<T>(walked: Walked, work: () => T): T {
  try {
    const result = work();
    verify(walked.place.folder, walked.place.shown);
    return result;
  } finally {
    for (const fd of walked.opened) fs.closeSync(fd);
  }
}

function walk(roots: OpenRoots, at: RootPath, isCreating: boolean): Walked {
  const shown = displayPath(at);
  const root = roots.directories.get(at.root);
  if (root === undefined)
    throw new Refusal('fs.outside', `${shown} is in no root; there are: ${[...roots.directories.keys()].join(', ')}.`);
  if (at.root === 'agent' && agentFile(at.path) !== at.path) throw new Refusal('fs.outside', `${shown} is not one of your own files.`);
  if (isProtectedPlace(roots, at)) throw new Refusal('fs.protected', `${shown} is protected: no tool may touch it.`);
  const names = at.path === '.' ? [] : at.path.split('/');
  const last = names.pop() ?? '.';
  if (last !== '.') checkName(last, shown);
  const opened: number[] = [];
  try {
    let folder = root;
    for (const name of names) {
      folder = isCreating ? enterOrMake(roots, folder, { name, shown }) : enter(roots, folder, { name, shown });
      opened.push(folder.fd);
    }
    verify(folder, shown);
    return { place: { folder, name: last, shown }, opened };
  } catch (thrown) {
    for (const fd of opened) fs.closeSync(fd);
    throw thrown;
  }
}

function enterOrMake(roots: OpenRoots, folder: Directory, step: { readonly name: string; readonly shown: string }): Directory {
  try {
    return enter(roots, folder, step);
  } catch (thrown) {
    if (errnoOf(thrown) !== 'ENOENT') throw thrown;
  }
  verify(folder, step.shown);
  try {
    fs.mkdirSync(locate(folder, step.name));
  } catch (thrown) {
    // Another process made it meanwhile: entering it decides what it is.
    if (errnoOf(thrown) !== 'EEXIST') throw thrown;
  }
  return enter(roots, folder, step);
}

function checkName(name: string, shown: string): void {
  const fault = name === '' || name === '.' || name.includes('/') ? 'has an empty name in it' : nameFault(name);
  if (fault === undefined) return;
  throw new Refusal(isProtectedName(name) ? 'fs.protected' : 'fs.outside', `${shown} ${fault}.`);
}
