import { lstatSync, type Stats } from 'node:fs';
import path from 'node:path';
import { SandboxRequestError } from '../sandbox-error.ts';
import type { Mask } from '../sandbox.ts';

/**
 * One mount over the workspace, in mounting order. `pin` binds a folder onto itself, writable: it cannot be renamed
 * then, and with it what is masked below it. `hide` shows an empty, read-only file or folder.
 */
export interface MaskMount {
  readonly path: string;
  readonly mode: 'pin' | 'read-only' | 'hide';
  readonly kind: 'file' | 'folder';
  /** Nothing was there: a mount point must be made on the host, and taken away afterwards. */
  readonly missing: boolean;
  readonly ino: number;
}

interface Found {
  readonly kind: 'file' | 'folder' | 'other';
  readonly ino: number;
}

/**
 * What has to be mounted so that no command can change or see the masked paths, under any name.
 *
 * A masked path whose parent folder is missing gets no mount: the parent may be made by a command (`git init`), so
 * `removeHostActs` looks at it when the command has ended. The same holds for a missing `read-only` path below an
 * existing parent if an empty stand-in would mean something to the program that reads it.
 *
 * @throws SandboxRequestError when a symbolic link or a special file stands where a mask must be.
 */
export function planMasks(workspace: string, masks: readonly Mask[]): MaskMount[] {
  const planned = new Map<string, MaskMount>();
  for (const mask of masks) planMask(workspace, mask, planned);
  return [...planned.values()].toSorted((a, b) => depth(a.path) - depth(b.path) || (a.path < b.path ? -1 : 1));
}

function planMask(workspace: string, mask: Mask, planned: Map<string, MaskMount>): void {
  const parts = splitMask(mask.path);
  for (let length = 1; length < parts.length; length += 1) {
    const parent = parts.slice(0, length).join('/');
    const found = look(workspace, parent);
    if (found === undefined) return;
    if (found.kind === 'other') throw notMaskable(parent);
    if (found.kind === 'file') {
      planned.set(parent, { path: parent, mode: 'read-only', kind: 'file', missing: false, ino: found.ino });
      return;
    }
    if (!planned.has(parent)) planned.set(parent, { path: parent, mode: 'pin', kind: 'folder', missing: false, ino: found.ino });
  }
  const name = parts.join('/');
  const found = look(workspace, name);
  if (found?.kind === 'other') throw notMaskable(name);
  if (found === undefined && mask.path.startsWith('.git/') && !standIns.has(mask.path)) return;
  const kind = found?.kind ?? standIns.get(mask.path) ?? 'file';
  planned.set(name, {
    path: name,
    mode: mask.mode === 'hidden' ? 'hide' : 'read-only',
    kind,
    missing: found === undefined,
    ino: found?.ino ?? 0,
  });
}

/** Missing paths whose empty stand-in changes nothing for git. */
const standIns: ReadonlyMap<string, 'file' | 'folder'> = new Map([
  ['.git/hooks', 'folder'],
  ['.git/config', 'file'],
]);

function splitMask(text: string): string[] {
  const parts = text.split('/');
  if (parts.every((part) => part !== '' && part !== '.' && part !== '..' && !part.includes('\0'))) return parts;
  throw new SandboxRequestError(
    `The mask ${JSON.stringify(text)} was not used`,
    'It is not a plain path beneath the workspace',
    'Write it relative, with "/" between names and without "." or ".."',
  );
}

function look(workspace: string, name: string): Found | undefined {
  const stats = lookAt(path.join(workspace, name));
  if (stats === undefined) return undefined;
  const kind = stats.isDirectory() ? 'folder' : stats.isFile() ? 'file' : 'other';
  return { kind, ino: stats.ino };
}

function lookAt(file: string): Stats | undefined {
  try {
    return lstatSync(file, { throwIfNoEntry: false });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOTDIR') return undefined;
    throw error;
  }
}

function notMaskable(name: string): SandboxRequestError {
  return new SandboxRequestError(
    `The workspace's ${name} cannot be protected`,
    'It is a symbolic link or a special file, over which nothing can be mounted safely',
    'Replace it by a real folder or file, or remove it',
  );
}

function depth(text: string): number {
  return text.split('/').length;
}

/** Whether the same masks would be planned now: what a warm sandbox must ask before it is used. */
export function masksStillCover(workspace: string, masks: readonly Mask[], mounts: readonly MaskMount[]): boolean {
  const now = planOrNothing(workspace, masks);
  if (now?.length !== mounts.length) return false;
  return now.every((mount, index) => {
    const before = mounts[index];
    if (before === undefined || before.path !== mount.path || before.mode !== mount.mode || before.kind !== mount.kind) return false;
    return before.missing || before.ino === mount.ino;
  });
}

/** Something that cannot be masked stands there now: nothing covers it. */
function planOrNothing(workspace: string, masks: readonly Mask[]): MaskMount[] | undefined {
  try {
    return planMasks(workspace, masks);
  } catch {
    return undefined; // silent-ok: the caller takes it for a no
  }
}
