import assert from 'node:assert/strict';
import { realpathSync } from 'node:fs';
import path from 'node:path';
import { reasonOf } from '../../contracts/errors.ts';
import { Channel } from '../channel/channel.ts';
import type { FifoStock } from '../channel/fifo-stock.ts';
import { closeHostEnds, type FifoName, type FifoPaths, giveFifos, type HostEnds, openHostEnds } from '../channel/fifos.ts';
import type { ResourceGroup } from '../host/resource-group.ts';
import type { ProcessIdentity } from '../host/process-identity.ts';
import { claimUid, type Registration, registerSandbox, type SandboxRecord } from '../host/registry.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import { defaultMasks, type Mask, type SandboxSpec } from '../sandbox.ts';
import { openDiskWatch } from '../workspace/disk-watch.ts';
import { chooseWorkspaceUse, type OpenWorkspace, openWorkspace, type User, type WorkspaceUse } from '../workspace/open-workspace.ts';
import type { PlaceholderShelf } from '../workspace/placeholders.ts';
import { type MaskMount, masksStillCover, planMasks } from '../workspace/plan-masks.ts';
import { LiveSandbox } from './live-sandbox.ts';

export interface PrepareContext {
  readonly driver: string;
  readonly runtimeDir: string;
  /** This process. */
  readonly owner: ProcessIdentity;
  readonly uidRange: { readonly first: number; readonly count: number };
  readonly alone: (workspace: string) => <T>(work: () => Promise<T>) => Promise<T>;
  /** FIFOs that the sandbox's user opens by path, before it runs any command. */
  readonly openedByPath: readonly FifoName[];
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly fifos: FifoStock;
  readonly placeholders: PlaceholderShelf;
}

/** What every driver needs before it starts a command. */
export interface Prepared {
  readonly context: PrepareContext;
  readonly spec: SandboxSpec;
  readonly registration: Registration;
  readonly user: User;
  readonly workspace: OpenWorkspace;
  readonly lockKey: string;
  readonly masks: readonly Mask[];
  readonly mounts: readonly MaskMount[];
  readonly masked: ReadonlySet<string>;
  readonly fifos: FifoPaths;
}

/** Under whom commands run, and where: all that has to be known before a process of the sandbox can be started. */
export interface Claimed {
  /** The workspace, without symbolic links. */
  readonly folder: string;
  readonly use: WorkspaceUse;
  readonly user: User;
}

/** @throws SandboxUnavailableError when no user may run commands in that workspace. */
export async function claimWorkspace(context: PrepareContext, spec: SandboxSpec, stack: AsyncDisposableStack): Promise<Claimed> {
  const folder = realFolder(spec.workspace);
  const use = chooseWorkspaceUse(context.driver, folder);
  return { folder, use, user: use.kind === 'bind' ? use.user : await claimUser(context, stack) };
}

function realFolder(workspace: string): string {
  try {
    return realpathSync.native(workspace);
  } catch {
    return workspace; // silent-ok: whoever looks at it next says what is wrong with it
  }
}

async function claimUser(context: PrepareContext, stack: AsyncDisposableStack): Promise<User> {
  const claim = await claimUid(context.runtimeDir, context.uidRange);
  stack.defer(async () => claim.release());
  return { uid: claim.uid, gid: claim.uid };
}

/** A sandbox's folder, record and FIFOs, of which a channel can be made once. */
export interface Reserved {
  readonly registration: Registration;
  readonly fifos: FifoPaths;
  openChannel(): Channel;
  /** After the end of every process of the sandbox. */
  remove(): Promise<void>;
}

export interface ReserveOptions {
  readonly user: User;
  readonly label: string;
  /** Nobody asked for it yet: it is listed as nobody's. */
  readonly ahead?: boolean;
  readonly about?: (id: string) => Partial<SandboxRecord>;
}

export async function reserve(context: PrepareContext, { user, label, ahead, about }: ReserveOptions): Promise<Reserved> {
  const { runtimeDir, driver: name, owner } = context;
  const driver = ahead === true ? 'stock' : name;
  const registration = registerSandbox({ runtimeDir, name, driver, label, owner, ...(about === undefined ? {} : { about }) });
  try {
    const fifos = await context.fifos.take(registration.folder);
    if (process.getuid?.() === 0) giveFifos(fifos, user.uid, context.openedByPath);
    let ends: HostEnds | undefined = openHostEnds(fifos);
    return {
      registration,
      fifos,
      openChannel() {
        assert(ends !== undefined, 'one channel for a set of FIFOs');
        const channel = new Channel(fifos, ends);
        ends = undefined;
        return channel;
      },
      async remove() {
        if (ends !== undefined) closeHostEnds(ends);
        ends = undefined;
        await registration.remove();
      },
    };
  } catch (error) {
    await registration.remove();
    throw error;
  }
}

export interface PrepareOptions {
  readonly spec: SandboxSpec;
  readonly claimed: Claimed;
  readonly reserved: Reserved;
  /** For the record, before anything can run. */
  readonly about?: Partial<SandboxRecord>;
}

/**
 * Opens the workspace and plans the masks. All of it is undone by the stack, the workspace's clean-up
 * included, for which the driver must have ended every process first: it defers that afterwards.
 */
export async function prepareSandbox(context: PrepareContext, options: PrepareOptions, stack: AsyncDisposableStack): Promise<Prepared> {
  const { spec, claimed, reserved } = options;
  const { registration, fifos } = reserved;
  const { folder, user, use } = claimed;
  const masks = [...defaultMasks, ...(spec.masks ?? [])];
  const copyTo = use.kind === 'copy' ? { copyTo: path.join(registration.folder, 'workspace') } : {};
  const workspace = await openWorkspace({ workspace: folder, user, masks, ...copyTo });
  const mounts = planMasks(workspace.folder, masks);
  const masked = new Set(mounts.filter(({ mode }) => mode !== 'pin').map((mount) => mount.path));
  const placeholders = context.placeholders.hold(workspace.folder, mounts, user);
  stack.defer(async () => context.placeholders.release(placeholders));
  registration.update({ ...options.about, placeholders: [...placeholders] });
  stack.defer(async () => void (await workspace.after(masked, true)));
  return { context, spec, registration, user, workspace, lockKey: folder, masks, mounts, masked, fifos };
}

export function openChannel(reserved: Reserved, stack: AsyncDisposableStack): Channel {
  const channel = reserved.openChannel();
  stack.defer(() => channel.markGone('it was not started'));
  return channel;
}

export interface Started {
  readonly channel: Channel;
  readonly group: ResourceGroup | undefined;
  /** A process of the sandbox, by its host number. */
  readonly memberPid: number | undefined;
  /** Everything that was set up; it is taken over. */
  readonly stack: AsyncDisposableStack;
}

export function finishSandbox(prepared: Prepared, started: Started): LiveSandbox {
  const { context, spec, registration, workspace, masked, masks, mounts } = prepared;
  const limitBytes = spec.limits.diskBytes;
  const { folder, isCopy } = workspace;
  const release = started.stack.move();
  return new LiveSandbox({
    id: registration.id,
    driver: context.driver,
    spec,
    channel: started.channel,
    group: started.group,
    workspace,
    masked,
    begin: async () => {
      const sinceMs = Date.now();
      if (!isCopy) registration.update({ workspace: { folder, sinceMs, masked: [...masked] } });
      return limitBytes === undefined ? undefined : openDiskWatch({ folder, sinceMs, memberPid: started.memberPid, limitBytes });
    },
    baseEnv: context.baseEnv,
    alone: context.alone(prepared.lockKey),
    isFresh: async () => Promise.resolve(masksStillCover(folder, masks, mounts)),
    release: async () => release.disposeAsync(),
  });
}

export interface BecomeReadyOptions {
  readonly channel: Channel;
  readonly startMs: number;
  readonly signal: AbortSignal | undefined;
  /** Ends what was started and tells what it said, for the reason of a failure. */
  readonly giveUp: () => Promise<string>;
}

/** @throws SandboxUnavailableError when the supervisor does not answer in time, ended, or the start was aborted. */
export async function becomeReady(driver: string, { channel, startMs, signal, giveUp }: BecomeReadyOptions): Promise<void> {
  const tooLate = setTimeout(() => channel.markGone(`it was not ready within ${startMs} ms`), startMs);
  const onAbort = (): void => channel.markGone('the start was aborted');
  signal?.addEventListener('abort', onAbort, { once: true });
  if (signal?.aborted === true) onAbort();
  try {
    await channel.ready();
  } catch (error) {
    const said = (await giveUp()).slice(-1000);
    throw new SandboxUnavailableError(driver, said === '' ? reasonOf(error) : said, 'See docs/sandboxes.md for what it needs', {
      cause: error,
    });
  } finally {
    clearTimeout(tooLate);
    signal?.removeEventListener('abort', onAbort);
  }
}
