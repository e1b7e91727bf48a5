import { realpath } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf } from '../../contracts/errors.ts';
import { Channel } from '../channel/channel.ts';
import type { FifoStock } from '../channel/fifo-stock.ts';
import { type FifoName, type FifoPaths, giveFifos, openHostEnds } from '../channel/fifos.ts';
import type { ResourceGroup } from '../host/resource-group.ts';
import { claimUid, type Registration, registerSandbox } from '../host/registry.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import { defaultMasks, type Mask, type SandboxSpec } from '../sandbox.ts';
import { openDiskWatch } from '../workspace/disk-watch.ts';
import { chooseWorkspaceUse, type OpenWorkspace, openWorkspace, type User } from '../workspace/open-workspace.ts';
import type { PlaceholderShelf } from '../workspace/placeholders.ts';
import { type MaskMount, masksStillCover, planMasks } from '../workspace/plan-masks.ts';
import { LiveSandbox } from './live-sandbox.ts';

export interface PrepareContext {
  readonly driver: string;
  readonly runtimeDir: string;
  readonly uidRange: { readonly first: number; readonly count: number };
  readonly alone: (workspace: string) => <T>(work: () => Promise<T>) => Promise<T>;
  /** FIFOs that the sandbox's user opens by path, before it runs any command. */
  readonly openedByPath: readonly FifoName[];
  readonly baseEnv: Readonly<Record<string, string>>;
  readonly fifos: FifoStock;
  readonly placeholders: PlaceholderShelf;
}

/** What every driver needs before it starts a process. */
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
  readonly channel: Channel;
}

/**
 * Chooses the user, opens the workspace, plans the masks and makes the channel. All of it is undone by the stack, the
 * workspace's clean-up included, for which the driver must have ended every process first: it defers that afterwards.
 */
export async function prepareSandbox(context: PrepareContext, spec: SandboxSpec, stack: AsyncDisposableStack): Promise<Prepared> {
  const folder = await realpath(spec.workspace).catch(() => spec.workspace);
  const use = await chooseWorkspaceUse(context.driver, folder);
  const registration = registerSandbox(context.runtimeDir, context.driver, spec.label);
  stack.defer(async () => registration.remove());
  const user = use.kind === 'bind' ? use.user : await claimUser(context, stack);
  const masks = [...defaultMasks, ...(spec.masks ?? [])];
  const copyTo = use.kind === 'copy' ? { copyTo: path.join(registration.folder, 'workspace') } : {};
  const [fifos, workspace] = await Promise.all([
    takeFifos(context, registration.folder, user),
    openWorkspace({ workspace: folder, user, masks, ...copyTo }),
  ]);
  const mounts = planMasks(workspace.folder, masks);
  const masked = new Set(mounts.filter(({ mode }) => mode !== 'pin').map((mount) => mount.path));
  const placeholders = context.placeholders.hold(workspace.folder, mounts, user);
  stack.defer(async () => context.placeholders.release(placeholders));
  if (placeholders.length > 0) registration.update({ placeholders: [...placeholders] });
  stack.defer(async () => void (await workspace.after(masked, true)));
  const channel = new Channel(fifos, openHostEnds(fifos));
  stack.defer(() => channel.markGone('it was not started'));
  return { context, spec, registration, user, workspace, lockKey: folder, masks, mounts, masked, fifos, channel };
}

async function claimUser(context: PrepareContext, stack: AsyncDisposableStack): Promise<User> {
  const claim = await claimUid(context.runtimeDir, context.uidRange);
  stack.defer(async () => claim.release());
  return { uid: claim.uid, gid: claim.uid };
}

async function takeFifos(context: PrepareContext, folder: string, user: User): Promise<FifoPaths> {
  const paths = await context.fifos.take(folder);
  if (process.getuid?.() === 0) giveFifos(paths, user.uid, context.openedByPath);
  return paths;
}

export interface Started {
  readonly group: ResourceGroup | undefined;
  /** A process of the sandbox, by its host number. */
  readonly memberPid: number | undefined;
  /** Everything that was set up; it is taken over. */
  readonly stack: AsyncDisposableStack;
}

export function finishSandbox(prepared: Prepared, started: Started): LiveSandbox {
  const { context, spec, registration, workspace, channel, masked, masks, mounts } = prepared;
  const limitBytes = spec.limits.diskBytes;
  const { folder, isCopy } = workspace;
  const release = started.stack.move();
  return new LiveSandbox({
    id: registration.id,
    driver: context.driver,
    spec,
    channel,
    group: started.group,
    workspace,
    masked,
    begin: async () => {
      const sinceMs = Date.now();
      if (!isCopy) registration.update({ workspace: { folder, sinceMs, masked: [...masked] } });
      return limitBytes === undefined ? undefined : await openDiskWatch({ folder, sinceMs, memberPid: started.memberPid, limitBytes });
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
