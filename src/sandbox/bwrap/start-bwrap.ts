import { openSupervisorEnds } from '../channel/fifos.ts';
import { doorFds } from '../channel/supervisor.ts';
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
  readonly leakedFds: readonly number[];
  /** Sabotage tests weaken the profile here and see the attack succeed; nothing else sets it. */
  readonly editArgs?: (args: string[]) => string[];
}

/** @throws SandboxUnavailableError with the reason; nothing has run and nothing remains then. */
export async function startBwrap(context: StartBwrapContext, spec: SandboxSpec, signal: AbortSignal | undefined): Promise<Sandbox> {
  await using stack = new AsyncDisposableStack();
  if (context.cgroups !== undefined) void announceMove(context.cgroups);
  const prepared = await prepareSandbox(context.prepare, spec, stack);
  const group = await openLimits(context, prepared, stack);
  const bwrap = launch(context, prepared, group);
  stack.defer(async () => endProcess(bwrap, group));
  prepared.registration.update({ processes: [identifyProcess(bwrap.pid)].filter((found) => found !== undefined) });
  void bwrap.ended.then((said) => prepared.channel.markGone(said === '' ? 'bwrap ended' : said));
  const giveUp = async (): Promise<string> => {
    bwrap.kill();
    return await bwrap.ended;
  };
  await becomeReady('bwrap', { channel: prepared.channel, startMs: context.startMs, signal, giveUp });
  const innerPid = await bwrap.innerPid;
  refuseUnlimited(group, innerPid);
  return finishSandbox(prepared, { group, memberPid: innerPid, stack });
}

/** PID 1 put itself under the limits before it did anything else. That is its word; this looks. */
function refuseUnlimited(group: ResourceGroup | undefined, innerPid: number): void {
  if (innerPid > 0 && (group?.isMember(innerPid) ?? true)) return;
  throw new SandboxUnavailableError(
    'bwrap',
    `its first process ${innerPid} is not under its limits`,
    'See docs/sandboxes.md for what it needs',
  );
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

function launch(context: StartBwrapContext, prepared: Prepared, group: ResourceGroup | undefined): BwrapProcess {
  const args = bwrapArgs({
    kit: context.kit,
    spec: prepared.spec,
    workspaceFolder: prepared.workspace.folder,
    masks: prepared.mounts,
    features: context.bwrap.features,
    doors: doorFds.slice(0, group?.folders.length ?? 0),
    processesByRlimit: context.cgroups?.controllers.pids === undefined,
  });
  return spawnBwrap({
    executable: context.bwrap.executable,
    args: context.editArgs?.(args) ?? args,
    filter: context.filter,
    leakedFds: context.leakedFds,
    user: prepared.user,
    supervisorFds: openSupervisorEnds(prepared.fifos),
    doors: group?.openDoors() ?? [],
  });
}

async function endProcess(bwrap: BwrapProcess, group: ResourceGroup | undefined): Promise<void> {
  bwrap.kill();
  group?.killAll();
  await bwrap.ended;
}
