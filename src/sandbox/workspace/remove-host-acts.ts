import { lstatSync, type Stats } from 'node:fs';
import { lchown, lstat, opendir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { cleanGitConfig } from './clean-git-config.ts';

/** What of a repository acts on whoever runs git in it, beside `config`. */
const actingParts = ['hooks', 'config.worktree', 'commondir', 'modules', 'worktrees'];
const largestConfigBytes = 1_048_576;
const maxEntries = 500_000;
/** File times come from a clock that the kernel moves this seldom at worst. */
const clockTickMs = 10;

export interface RemoveHostActsOptions {
  /** A thing whose inode did not change since then (milliseconds since the epoch) was not the sandbox's doing. */
  readonly sinceMs: number;
  /** Paths under a mount that no command could change. */
  readonly masked: ReadonlySet<string>;
  /** Also below the top: at the end of a sandbox's life. */
  readonly deep: boolean;
}

/**
 * Takes out of a workspace what a command put there and what would act on the host, with the host's rights: hooks and
 * settings of git repositories, links and files that make git look for them elsewhere, bare repositories' settings,
 * and `.clawhold` folders. A config file keeps what is only data. The change time of an inode tells: nobody without
 * privilege can set it back.
 *
 * Contract: no process of the sandbox is alive. Links are never followed.
 */
export async function removeHostActs(workspace: string, options: RemoveHostActsOptions): Promise<string[]> {
  const removed: string[] = [];
  const sweep = { ...options, sinceMs: options.sinceMs - clockTickMs, workspace, removed, entries: 0 };
  await visitFolder(sweep, '');
  return removed;
}

interface Sweep extends RemoveHostActsOptions {
  readonly workspace: string;
  readonly removed: string[];
  entries: number;
}

async function visitFolder(sweep: Sweep, folder: string): Promise<void> {
  await visitEntry(sweep, folder, '.git');
  await visitEntry(sweep, folder, '.clawhold');
  if (!sweep.deep) return;
  const names = new Set<string>();
  const below: string[] = [];
  const found = await opendir(path.join(sweep.workspace, folder)).catch(() => undefined);
  if (found === undefined) return;
  for await (const entry of found) {
    sweep.entries += 1;
    names.add(entry.name);
    if (entry.isDirectory() && entry.name !== '.git') below.push(path.join(folder, entry.name));
    else if (folder === '' || entry.name.length > 9) continue;
    else if (/^\.(git|clawhold)$/i.test(entry.name) && entry.name !== '.git') await visitEntry(sweep, folder, entry.name);
  }
  if (['HEAD', 'objects', 'refs'].every((name) => names.has(name))) await cleanRepository(sweep, folder, true);
  for (const next of below) if (sweep.entries < maxEntries) await visitFolder(sweep, next);
}

async function visitEntry(sweep: Sweep, folder: string, name: string): Promise<void> {
  const relative = path.join(folder, name);
  if (sweep.masked.has(relative)) return;
  const stats = lookAt(path.join(sweep.workspace, relative));
  if (stats === undefined) return;
  const isNew = stats.ctimeMs >= sweep.sinceMs;
  if (name === '.clawhold' || !stats.isDirectory()) {
    if (isNew) await take(sweep, relative);
    return;
  }
  await cleanRepository(sweep, relative, isNew);
}

/** Without the thread pool: after each command two names are looked for, and mostly are not there. */
function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch {
    return undefined; // silent-ok: a folder that cannot be entered has nothing for git
  }
}

/** `isNew`: it may have been moved here as it is, so that its parts look old. */
async function cleanRepository(sweep: Sweep, repository: string, isNew: boolean): Promise<void> {
  for (const part of actingParts) {
    const relative = path.join(repository, part);
    if (sweep.masked.has(relative)) continue;
    if (await isActing(sweep, relative, isNew)) await take(sweep, relative);
  }
  await cleanConfig(sweep, path.join(repository, 'config'), isNew);
}

async function isActing(sweep: Sweep, relative: string, parentIsNew: boolean): Promise<boolean> {
  const full = path.join(sweep.workspace, relative);
  const stats = await lstat(full).catch(() => undefined);
  if (stats === undefined) return false;
  if (!stats.isDirectory()) return parentIsNew || stats.ctimeMs >= sweep.sinceMs;
  const inner = await opendir(full, { recursive: true });
  let acts = false;
  for await (const entry of inner) {
    if (entry.isDirectory() || entry.name.endsWith('.sample')) continue;
    const changed = await lstat(path.join(entry.parentPath, entry.name)).catch(() => undefined);
    if (changed !== undefined && (parentIsNew || changed.ctimeMs >= sweep.sinceMs)) acts = true;
  }
  return acts;
}

async function cleanConfig(sweep: Sweep, relative: string, parentIsNew: boolean): Promise<void> {
  const full = path.join(sweep.workspace, relative);
  const stats = await lstat(full).catch(() => undefined);
  if (stats === undefined || sweep.masked.has(relative) || !(parentIsNew || stats.ctimeMs >= sweep.sinceMs)) return;
  if (!stats.isFile() || stats.size > largestConfigBytes) return await take(sweep, relative);
  const text = await readFile(full, 'latin1');
  const clean = cleanGitConfig(text);
  if (sameSettings(clean, text)) return;
  await writeFile(`${full}.clawhold-clean`, clean, { encoding: 'latin1', flag: 'wx', mode: 0o644 });
  await copyOwner(`${full}.clawhold-clean`, stats);
  await rename(`${full}.clawhold-clean`, full);
  sweep.removed.push(relative);
}

async function copyOwner(file: string, stats: { readonly uid: number; readonly gid: number }): Promise<void> {
  await lchown(file, stats.uid, stats.gid);
}

function sameSettings(clean: string, text: string): boolean {
  return settingsOf(clean) === settingsOf(text);
}

function settingsOf(text: string): string {
  const lines = text.split('\n').map((line) => line.trim());
  return lines.filter((line) => line !== '').join('\n');
}

async function take(sweep: Sweep, relative: string): Promise<void> {
  await rm(path.join(sweep.workspace, relative), { recursive: true, force: true });
  sweep.removed.push(relative);
}
