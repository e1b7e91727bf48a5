import { reasonOf } from '../../contracts/errors.ts';
import { openSupervisorEnds } from '../channel/fifos.ts';
import type { CgroupPlaces } from '../host/find-cgroups.ts';
import { announceMove, groupFolders, openGroup, removeGroups, type ResourceGroup } from '../host/resource-group.ts';
import { identifyProcess } from '../host/process-identity.ts';
import { becomeReady, finishSandbox, type PrepareContext, type Prepared, prepareSandbox } from '../live/prepare-sandbox.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import type { Sandbox, SandboxSpec } from '../sandbox.ts';
import type { Bwrap } from './find-bwrap.ts';
import type { Kit } from './kit.ts';
import { bwrapArgs, supervisorProcesses } from './profile.ts';
import { type BwrapProcess, spawnBwrap } from './spawn-bwrap.ts';

export interface StartBwrapContext {
  readonly prepare: PrepareContext;
  readonly startMs: number;
  readonly bwrap: Bwrap;
  readonly kit: Kit;
  readonly cgroups: CgroupPlaces | undefined;
  readonly filter: Uint8Array;
  /** Sabotage tests weaken the profile here and see the attack succeed; nothing else sets it. */
  readonly editArgs?: (args: string[]) => string[];
}

/** @throws SandboxUnavailableError with the reason; nothing has run and nothing remains then. */
export async function startBwrap(context: StartBwrapContext, spec: SandboxSpec, signal: AbortSignal | undefined): Promise<Sandbox> {
  await using stack = new AsyncDisposableStack();
  const announced = context.cgroups === undefined ? undefined : announceMove();
  const prepared = await prepareSandbox(context.prepare, spec, stack);
  const group = await openLimits(context, prepared, stack);
  const bwrap = launch(context, prepared);
  stack.defer(async () => endProcess(bwrap, group));
  prepared.registration.update({ processes: [identifyProcess(bwrap.pid)].filter((found) => found !== undefined) });
  const innerPid = await Promise.race([bwrap.innerPid, bwrap.ended.then(() => -1)]);
  await announced;
  await limitOrExplain(bwrap, { group, innerPid });
  bwrap.proceed();
  void bwrap.ended.then((said) => prepared.channel.markGone(said === '' ? 'bwrap ended' : said));
  const giveUp = async (): Promise<string> => {
    bwrap.kill();
    return await bwrap.ended;
  };
  await becomeReady('bwrap', { channel: prepared.channel, startMs: context.startMs, signal, giveUp });
  return await finishSandbox(prepared, { group, memberPid: innerPid, stack });
}

/** PID 1 waits with its mounts made, so all that it starts is under the limits. One that cannot be put under them never goes on. */
async function limitOrExplain(
  bwrap: BwrapProcess,
  limited: { readonly group: ResourceGroup | undefined; readonly innerPid: number },
): Promise<void> {
  if (limited.innerPid < 0) return;
  try {
    limited.group?.add(limited.innerPid);
  } catch (error) {
    bwrap.kill();
    const said = await bwrap.ended;
    throw new SandboxUnavailableError('bwrap', said === '' ? reasonOf(error) : said, 'See docs/sandboxes.md for what it needs', {
      cause: error,
    });
  }
}

/** Written down before anything that it names exists. */
async function openLimits(context: StartBwrapContext, prepared: Prepared, stack: AsyncDisposableStack): Promise<ResourceGroup | undefined> {
  if (context.cgroups === undefined) return undefined;
  const name = `clawhold-${prepared.registration.id}`;
  const folders = groupFolders(context.cgroups, name);
  prepared.registration.update({ cgroups: folders });
  const { limits } = prepared.spec;
  stack.defer(async () => removeGroups(folders));
  return openGroup(context.cgroups, name, limits.pids === undefined ? limits : { ...limits, pids: limits.pids + supervisorProcesses });
}

function launch(context: StartBwrapContext, prepared: Prepared): BwrapProcess {
  const args = bwrapArgs({
    kit: context.kit,
    spec: prepared.spec,
    workspaceFolder: prepared.workspace.folder,
    masks: prepared.mounts,
    features: context.bwrap.features,
    processesByRlimit: context.cgroups?.controllers.pids === undefined,
  });
  return spawnBwrap({
    executable: context.bwrap.executable,
    args: context.editArgs?.(args) ?? args,
    filter: context.filter,
    user: prepared.user,
    supervisorFds: openSupervisorEnds(prepared.fifos),
  });
}

async function endProcess(bwrap: BwrapProcess, group: ResourceGroup | undefined): Promise<void> {
  bwrap.kill();
  group?.killAll();
  await bwrap.ended;
}
