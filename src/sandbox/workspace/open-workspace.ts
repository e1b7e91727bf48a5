import { type Stats, statSync } from 'node:fs';
import { chown, cp, lchown, lstat, mkdir } from 'node:fs/promises';
import path from 'node:path';
import { SandboxRequestError, SandboxUnavailableError } from '../sandbox-error.ts';
import { workspaceInside, type Mask } from '../sandbox.ts';
import { planMasks } from './plan-masks.ts';
import { removeHostActs } from './remove-host-acts.ts';
import { syncTree, type SyncOptions } from './sync-tree.ts';

export interface User {
  readonly uid: number;
  readonly gid: number;
}

/** A workspace as a sandbox sees it: the folder itself, or a copy that is kept equal to it around every command. */
export interface OpenWorkspace {
  /** What is mounted. */
  readonly folder: string;
  readonly user: User;
  readonly isCopy: boolean;
  /** Before a command: brings in what changed on the host. From the first one on, what changes may be the sandbox's doing. */
  before(): Promise<void>;
  /** After a command, when none of its processes is alive: takes away what would act on the host, then carries changes out. */
  after(masked: ReadonlySet<string>, deep: boolean): Promise<string[]>;
  copyIn(hostPath: string, insidePath: string): Promise<void>;
  copyOut(insidePath: string, hostPath: string): Promise<void>;
}

/** How commands must run so that a workspace stays its owner's. */
export type WorkspaceUse = { readonly kind: 'bind'; readonly user: User } | { readonly kind: 'copy' };

/**
 * Commands run as the workspace's owner. Root's own workspace is copied, since no command may run as root and nothing
 * is ever chowned.
 * @throws SandboxUnavailableError when the folder is missing or belongs to someone else.
 */
export function chooseWorkspaceUse(driver: string, workspace: string): WorkspaceUse {
  const found = lookAt(workspace);
  if (found === undefined || !found.isDirectory()) {
    throw new SandboxUnavailableError(driver, `the workspace ${workspace} is not a folder`, 'Make it, or name another');
  }
  const self = process.getuid?.() ?? -1;
  if (self === 0)
    return found.uid === 0 ? { kind: 'copy' } : { kind: 'bind', user: { uid: found.uid, gid: found.gid === 0 ? found.uid : found.gid } };
  if (found.uid === self) return { kind: 'bind', user: { uid: self, gid: process.getgid?.() ?? self } };
  throw new SandboxUnavailableError(
    driver,
    `the workspace ${workspace} belongs to user ${found.uid} and this process runs as user ${self}`,
    'Use a workspace of your own',
  );
}

function lookAt(folder: string): Stats | undefined {
  try {
    return statSync(folder);
  } catch {
    return undefined; // silent-ok: the caller says that it is not there
  }
}

export interface OpenWorkspaceOptions {
  readonly workspace: string;
  readonly user: User;
  /** Folder for the copy; absent: the workspace itself is used. */
  readonly copyTo?: string;
  readonly masks: readonly Mask[];
}

export async function openWorkspace(options: OpenWorkspaceOptions): Promise<OpenWorkspace> {
  const folder = options.copyTo ?? options.workspace;
  if (options.copyTo !== undefined) await makeCopyFolder(options.copyTo, options.user);
  const copier = options.copyTo === undefined ? undefined : newCopier(options, options.copyTo);
  await copier?.bringIn();
  let sinceMs: number | undefined;
  return {
    folder,
    user: options.user,
    isCopy: copier !== undefined,
    async before() {
      sinceMs ??= Date.now();
      await copier?.bringIn();
    },
    async after(masked, deep) {
      if (sinceMs === undefined) return [];
      const removed = await removeHostActs(folder, { sinceMs, masked, deep: deep || copier !== undefined });
      await copier?.carryOut();
      return removed;
    },
    async copyIn(hostPath, insidePath) {
      await copyAnything(hostPath, await placeInside(folder, insidePath), options.user);
      await copier?.carryOut();
    },
    copyOut: async (insidePath, hostPath) => copyAnything(await placeInside(folder, insidePath), hostPath, ownUser()),
  };
}

async function makeCopyFolder(folder: string, user: User): Promise<void> {
  await mkdir(folder, { mode: 0o700 });
  await chown(folder, user.uid, user.gid);
}

/** Masked paths stay as they are on the host: hidden ones are not brought in, and none is carried out. */
function newCopier(options: OpenWorkspaceOptions, copy: string): { bringIn(): Promise<void>; carryOut(): Promise<void> } {
  const planned = planMasks(options.workspace, options.masks);
  const masked = new Set(planned.filter(({ mode }) => mode !== 'pin').map((mount) => mount.path));
  const hidden = new Set(planned.filter(({ mode }) => mode === 'hide').map((mount) => mount.path));
  const inside = new Map<string, string>();
  const outside = new Map<string, string>();
  const inward: SyncOptions = { owner: options.user, skip: (relative) => hidden.has(relative), known: outside, reverse: inside };
  const outward: SyncOptions = { owner: ownUser(), skip: (relative) => masked.has(relative), known: inside, reverse: outside };
  return {
    bringIn: async () => syncTree(options.workspace, copy, inward),
    carryOut: async () => syncTree(copy, options.workspace, outward),
  };
}

/** @throws SandboxRequestError when the path leads outside the workspace or through a link. */
async function placeInside(folder: string, insidePath: string): Promise<string> {
  const relative = path.posix.relative(workspaceInside, path.posix.resolve(workspaceInside, insidePath));
  const parts = relative.split('/').filter((part) => part !== '');
  let place = folder;
  for (const [index, part] of parts.entries()) {
    const parent = index === 0 ? undefined : await lstat(place).catch(() => undefined);
    if (part === '..' || (index > 0 && parent?.isDirectory() !== true)) {
      throw new SandboxRequestError(
        `${JSON.stringify(insidePath)} was not copied`,
        'It leads outside the workspace, or through something that is not a folder',
        'Name a path whose folders exist in the workspace',
      );
    }
    place = path.join(place, part);
  }
  return place;
}

/** Copies would keep the owner of what they were made from. */
function ownUser(): User {
  return { uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };
}

async function copyAnything(from: string, to: string, owner: User): Promise<void> {
  const found = await lstat(from);
  if (found.isDirectory()) {
    await mkdir(to, { recursive: true });
    await lchown(to, owner.uid, owner.gid);
    return await syncTree(from, to, { owner, skip: () => false, known: new Map(), reverse: new Map() });
  }
  await cp(from, to, { verbatimSymlinks: true, errorOnExist: true, force: false });
  await lchown(to, owner.uid, owner.gid);
}
