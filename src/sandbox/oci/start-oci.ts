import { closeSync, constants, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf } from '../../contracts/errors.ts';
import type { Channel } from '../channel/channel.ts';
import type { Kit } from '../bwrap/kit.ts';
import { identifyParent, type ProcessIdentity, waitForEnd } from '../host/process-identity.ts';
import { joinGroup } from '../host/resource-group.ts';
import {
  becomeReady,
  claimWorkspace,
  finishSandbox,
  openChannel,
  type PrepareContext,
  type Prepared,
  prepareSandbox,
  reserve,
} from '../live/prepare-sandbox.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import type { Sandbox, SandboxSpec } from '../sandbox.ts';
import type { Engine } from './engine.ts';
import { resolveImage } from './image.ts';
import { runArgs } from './run-args.ts';

/** An engine's monitor cleans up after its container. */
const monitorEndMs = 3000;

export interface StartOciContext {
  readonly prepare: PrepareContext;
  readonly startMs: number;
  readonly engine: Engine;
  readonly kit: Kit;
  readonly seccompFile: string;
  readonly runtime: readonly string[];
  readonly hard: { readonly files: number; readonly processes: number };
  readonly rootless: boolean;
  readonly editArgs?: (args: string[]) => string[];
}

/** @throws SandboxUnavailableError with the reason; no command has run and nothing remains then. */
export async function startOci(context: StartOciContext, spec: SandboxSpec, signal: AbortSignal | undefined): Promise<Sandbox> {
  const image = await resolveImage(context.engine, spec.image);
  await using stack = new AsyncDisposableStack();
  const claimed = await claimWorkspace(context.prepare, spec, stack);
  const reserved = await reserve(context.prepare, { user: claimed.user, label: spec.label });
  stack.defer(async () => reserved.remove());
  const prepared = await prepareSandbox(context.prepare, { spec, claimed, reserved }, stack);
  const channel = openChannel(reserved, stack);
  const name = `clawhold-${prepared.registration.id}`;
  const pidFile = path.join(prepared.registration.folder, 'pid');
  prepared.registration.update({ containers: [{ engine: engineKey(context.engine), name }] });
  const args = runArgs({
    engine: context.engine.name,
    prepared,
    name,
    pidFile,
    image,
    seccompFile: context.seccompFile,
    supervisorFile: context.kit.supervisor,
    emptyFile: context.kit.emptyFile,
    emptyFolder: context.kit.emptyFolder,
    runtime: context.runtime,
    hard: context.hard,
    rootless: context.rootless,
  });
  let monitor: ProcessIdentity | undefined;
  stack.defer(async () => {
    await removeContainer(context.engine, name);
    if (monitor !== undefined) await waitForEnd(monitor, monitorEndMs);
  });
  await launch(context, { prepared, channel, args: context.editArgs?.(args) ?? args, signal });
  if (!context.rootless) await channel.hideFifos(path.join(prepared.registration.folder, 'hidden'));
  const memberPid = await containerPid(context.engine, name, pidFile);
  monitor = memberPid === undefined ? undefined : identifyParent(memberPid);
  const group = memberPid === undefined ? undefined : joinGroup(memberPid);
  return finishSandbox(prepared, { channel, group, memberPid, stack });
}

/** What a later process needs to reach the same engine: see reap-orphans.ts. */
export function engineKey(engine: Engine): string {
  return JSON.stringify([engine.name, engine.executable, ...engine.globalArgs]);
}

/** The supervisor opens its input before the first command, and an open for reading waits for a writer: this holds one. */
async function launch(
  context: StartOciContext,
  started: { prepared: Prepared; channel: Channel; args: readonly string[]; signal: AbortSignal | undefined },
): Promise<void> {
  const { prepared, channel, args, signal } = started;
  const writer = openSync(prepared.fifos.stdin, constants.O_RDWR);
  try {
    const ran = context.engine.run(args, context.startMs);
    const failed = ran.then(
      () => '',
      (error: unknown) => reasonOf(error),
    );
    void failed.then((said) => said !== '' && channel.markGone(said));
    await becomeReady('oci', { channel, startMs: context.startMs, signal, giveUp: async () => failed });
    const said = await failed;
    if (said !== '') throw new SandboxUnavailableError('oci', said, 'See docs/sandboxes.md for what it needs');
  } finally {
    closeSync(writer);
  }
}

async function containerPid(engine: Engine, name: string, pidFile: string): Promise<number | undefined> {
  const text =
    engine.name === 'podman' ? await readFile(pidFile, 'utf8') : await engine.run(['inspect', '--format', '{{.State.Pid}}', name]);
  const pid = Number(text.trim());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** Also of a container that was never made, or has gone by itself. */
export async function removeContainer(engine: Engine, name: string): Promise<void> {
  const args =
    engine.name === 'podman' ? ['rm', '--force', '--ignore', '--time', '0', '--volumes', name] : ['rm', '--force', '--volumes', name];
  for (let attempt = 0; attempt < 3; attempt += 1) {
    const isDone = await engine.run(args).then(
      () => true,
      (error: unknown) => /no such container|no container with/i.test(reasonOf(error)),
    );
    if (isDone) return;
  }
}
