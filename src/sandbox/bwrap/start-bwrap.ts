import { announceMove, type ResourceGroup } from '../host/resource-group.ts';
import { findOnlyChild } from '../host/process-identity.ts';
import { becomeReady, claimWorkspace, finishSandbox, openChannel, type Prepared, prepareSandbox } from '../live/prepare-sandbox.ts';
import { SandboxUnavailableError } from '../sandbox-error.ts';
import type { Sandbox, SandboxLimits, SandboxSpec } from '../sandbox.ts';
import { type Blank, makeBlank, type MakeBlankContext, processesOf } from './blank.ts';
import type { BlankStock } from './blank-stock.ts';
import type { Kit } from './kit.ts';
import { bwrapArgs, type MachineMounts, supervisorProcesses } from './profile.ts';

export interface StartBwrapContext extends MakeBlankContext {
  readonly startMs: number;
  readonly kit: Kit;
  readonly machine: MachineMounts;
  readonly blanks: BlankStock;
  /** Sabotage tests weaken the profile here and see the attack succeed; nothing else sets it. */
  readonly editArgs?: (args: string[]) => string[];
}

/**
 * bwrap is started first and gets its options last: it loads while the workspace is looked at and the limits are set.
 * @throws SandboxUnavailableError with the reason; nothing has run and nothing remains then.
 */
export async function startBwrap(context: StartBwrapContext, spec: SandboxSpec, signal: AbortSignal | undefined): Promise<Sandbox> {
  await using stack = new AsyncDisposableStack();
  if (context.cgroups !== undefined) void announceMove(context.cgroups);
  const claimed = await claimWorkspace(context.prepare, spec, stack);
  const made = claimed.use.kind === 'bind' ? context.blanks.take(claimed.user) : undefined;
  const blank = made ?? (await makeBlank(context, { user: claimed.user, label: spec.label, ahead: false }));
  stack.defer(async () => blank.remove());
  const about = { driver: context.prepare.driver, label: spec.label, processes: processesOf(blank.bwrap) };
  const prepared = await prepareSandbox(context.prepare, { spec, claimed, reserved: blank.reserved, about }, stack);
  stack.defer(async () => blank.end());
  configure(context, prepared, blank);
  const { bwrap, group } = blank;
  const channel = openChannel(blank.reserved, stack);
  void bwrap.ended.then((said) => channel.markGone(said === '' ? 'bwrap ended' : said));
  const giveUp = async (): Promise<string> => {
    bwrap.kill();
    return await bwrap.ended;
  };
  await becomeReady('bwrap', { channel, startMs: context.startMs, signal, giveUp });
  const innerPid = findOnlyChild(bwrap.pid);
  refuseUnlimited(group, innerPid);
  if (claimed.use.kind === 'bind') context.blanks.refillLater(claimed.user);
  return finishSandbox(prepared, { channel, group, memberPid: innerPid, stack });
}

/** The limits are in force before bwrap knows what to start. */
function configure(context: StartBwrapContext, prepared: Prepared, { group, bwrap }: Blank): void {
  group?.limit(withSupervisor(prepared.spec.limits));
  const args = bwrapArgs({
    kit: context.kit,
    spec: prepared.spec,
    workspaceFolder: prepared.workspace.folder,
    masks: prepared.mounts,
    features: context.bwrap.features,
    machine: context.machine,
    doors: group?.folders.length ?? 0,
    processesByRlimit: context.cgroups?.controllers.pids === undefined,
  });
  bwrap.configure(context.editArgs?.(args) ?? args);
}

function withSupervisor(limits: SandboxLimits): SandboxLimits {
  return limits.pids === undefined ? limits : { ...limits, pids: limits.pids + supervisorProcesses };
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
