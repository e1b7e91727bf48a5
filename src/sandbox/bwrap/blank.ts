import { openSupervisorEnds } from '../channel/fifos.ts';
import type { CgroupPlaces } from '../host/find-cgroups.ts';
import { identifyProcess } from '../host/process-identity.ts';
import { groupFolders, openGroup, removeGroups, type ResourceGroup } from '../host/resource-group.ts';
import { type PrepareContext, reserve, type Reserved } from '../live/prepare-sandbox.ts';
import type { User } from '../workspace/open-workspace.ts';
import type { Bwrap } from './find-bwrap.ts';
import { type BwrapProcess, spawnBwrap } from './spawn-bwrap.ts';

export interface MakeBlankContext {
  readonly prepare: PrepareContext;
  readonly bwrap: Bwrap;
  readonly cgroups: CgroupPlaces | undefined;
  /** By `prepareFilter`. */
  readonly filterFile: string;
  readonly leakedFds: readonly number[];
}

/**
 * What of a sandbox depends on nothing but its user: folder, record, FIFOs, resource groups without limits, and a bwrap
 * that waits for its options. Making one takes a third of a start, most of it Node's fork and bwrap's loading.
 */
export interface Blank {
  readonly user: User;
  readonly reserved: Reserved;
  readonly group: ResourceGroup | undefined;
  readonly bwrap: BwrapProcess;
  /** Ends whatever runs in it. */
  end(): Promise<void>;
  /** Ends and removes all of it. */
  remove(): Promise<void>;
}

export interface MakeBlankOptions {
  readonly user: User;
  readonly label: string;
  readonly ahead: boolean;
}

/** @throws SandboxUnavailableError, and nothing remains. */
export async function makeBlank(context: MakeBlankContext, options: MakeBlankOptions): Promise<Blank> {
  await using stack = new AsyncDisposableStack();
  const { cgroups } = context;
  const foldersOf = (id: string): string[] => (cgroups === undefined ? [] : groupFolders(cgroups, groupName(id)));
  const reserved = await reserve(context.prepare, { ...options, about: (id) => ({ cgroups: foldersOf(id) }) });
  stack.defer(async () => reserved.remove());
  const { id } = reserved.registration;
  stack.defer(async () => removeGroups(foldersOf(id)));
  const group = cgroups === undefined ? undefined : openGroup(cgroups, groupName(id));
  const bwrap = spawnBwrap({
    executable: context.bwrap.executable,
    filterFile: context.filterFile,
    leakedFds: context.leakedFds,
    user: options.user,
    supervisorFds: openSupervisorEnds(reserved.fifos),
    doors: group?.openDoors() ?? [],
  });
  const end = async (): Promise<void> => {
    bwrap.kill();
    group?.killAll();
    await bwrap.ended;
  };
  stack.defer(end);
  if (options.ahead) reserved.registration.update({ processes: processesOf(bwrap) });
  const made = stack.move();
  return { user: options.user, reserved, group, bwrap, end, remove: async () => made.disposeAsync() };
}

export function processesOf(bwrap: BwrapProcess): NonNullable<ReturnType<typeof identifyProcess>>[] {
  return [identifyProcess(bwrap.pid)].filter((found) => found !== undefined);
}

function groupName(id: string): string {
  return `clawhold-${id}`;
}
