import { reasonOf } from '../contracts/errors.ts';
import { type CgroupPlaces, findCgroups, readCgroupSource } from './host/find-cgroups.ts';
import { checkLimits } from './host/check-limits.ts';
import { makeBlank, type MakeBlankContext } from './bwrap/blank.ts';
import { newBlankStock } from './bwrap/blank-stock.ts';
import { findLeakedFds } from './bwrap/cover-leaked-fds.ts';
import { type Bwrap, findBwrap } from './bwrap/find-bwrap.ts';
import { prepareKit } from './bwrap/kit.ts';
import { prepareFilter } from './bwrap/prepare-filter.ts';
import { machineMounts } from './bwrap/profile.ts';
import { startBwrap, type StartBwrapContext } from './bwrap/start-bwrap.ts';
import { openDriver } from './live/open-driver.ts';
import type { PrepareContext } from './live/prepare-sandbox.ts';
import type { Enforcements, SandboxCapabilities } from './probe.ts';
import { SandboxUnavailableError } from './sandbox-error.ts';
import type { SandboxDriver, SandboxSpec } from './sandbox.ts';
import { buildFilter, encodeFilter } from './seccomp/filter-program.ts';

export interface BwrapOptions {
  /** Folder of this user for records and runtime files, on a file system that allows execution. */
  readonly runtimeDir: string;
  readonly executable?: string;
  /** As root: user numbers for sandboxes whose workspace is root's own. No account may have one of them. */
  readonly uidRange?: { readonly first: number; readonly count: number };
  /** How long a start may take. Default 10 s. */
  readonly startMs?: number;
  /** Only for tests that show what a profile holds back, by leaving a part of it away. */
  readonly editArgs?: (args: string[]) => string[];
  /** Only for tests: another system call filter. */
  readonly filter?: Uint8Array;
}

export const bwrapCapabilities: SandboxCapabilities = {
  isolation: 'namespace',
  snapshot: false,
  restore: false,
  egressSocket: true,
  persistentExec: true,
  image: false,
  idleMemoryBytes: 4 * 1024 * 1024,
};

/** Above the ranges that distributions and container engines use. Source: https://systemd.io/UIDS-GIDS/ */
export const defaultUidRange: { readonly first: number; readonly count: number } = { first: 1_879_048_192, count: 65_536 };

/** Namespaces, no capabilities and a system call filter by bubblewrap: docs/sandboxes.md. */
export function openBwrap(options: BwrapOptions): SandboxDriver {
  return openDriver({
    name: 'bwrap',
    capabilities: bwrapCapabilities,
    runtimeDir: options.runtimeDir,
    uidRange: options.uidRange ?? defaultUidRange,
    openedByPath: ['stdin', 'stdout', 'stderr'],
    baseEnv: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8' },
    canaryMs: 5000,
    remedy: 'Allow unprivileged user namespaces for bwrap and install bubblewrap 0.8 or newer.',
    ready: async (prepare) => await getReady(options, prepare),
    close: async ({ blanks }) => await blanks.close(),
    start: async (ready, spec, signal) => {
      refuseImage(spec);
      checkLimits('bwrap', spec.limits, enforcementsOf(ready.cgroups));
      return await startBwrap(ready, spec, signal);
    },
    describe: ({ bwrap, cgroups }) => ({
      version: bwrap.version,
      limits: enforcementsOf(cgroups),
      features: [...bwrap.features],
      notes: notesOf(bwrap, cgroups),
    }),
  });
}

async function getReady(options: BwrapOptions, prepare: PrepareContext): Promise<StartBwrapContext> {
  const machine = process.arch;
  if (machine !== 'x64' && machine !== 'arm64') throw unavailable(`there is no system call list for ${machine}`, 'Choose another driver');
  const kit = await prepareKit(options.runtimeDir);
  const forBlanks: MakeBlankContext = {
    prepare,
    bwrap: await findOrExplain(options.executable),
    cgroups: findCgroups(readCgroupSource()),
    leakedFds: findLeakedFds(),
    filterFile: await prepareFilter(options.runtimeDir, options.filter ?? encodeFilter(buildFilter(machine))),
  };
  return {
    ...forBlanks,
    startMs: options.startMs ?? 10_000,
    kit,
    machine: machineMounts(kit),
    blanks: newBlankStock({ make: async (user) => makeBlank(forBlanks, { user, label: 'ahead', ahead: true }) }),
    ...(options.editArgs === undefined ? {} : { editArgs: options.editArgs }),
  };
}

async function findOrExplain(executable: string | undefined): Promise<Bwrap> {
  try {
    return await findBwrap(executable);
  } catch (error) {
    throw unavailable(`the program ${executable ?? 'bwrap'} does not run: ${reasonOf(error)}`, 'Install the package bubblewrap');
  }
}

function refuseImage(spec: SandboxSpec): void {
  if (spec.image !== undefined)
    throw unavailable("it shows the machine's own programs and cannot run an image", 'Leave the image away, or choose the driver oci');
}

/** By what each limit is held here; a limit that is missing cannot be. */
function enforcementsOf(cgroups: CgroupPlaces | undefined): Enforcements {
  const by = cgroups?.version === 1 ? 'cgroup-v1' : 'cgroup-v2';
  const { memory, cpu, pids } = cgroups?.controllers ?? {};
  return {
    ...(memory === undefined ? {} : { memoryBytes: { by } }),
    ...(cpu === undefined ? {} : { cpus: { by } }),
    pids:
      pids === undefined ? { by: 'rlimit', note: "Counted by the kernel for the sandbox's own user namespace; needs Linux 5.14." } : { by },
    processMemoryBytes: { by: 'rlimit', note: 'Address space of each process by itself.' },
    openFiles: { by: 'rlimit' },
    diskBytes: { by: 'watch', note: 'Looked at every 100 ms, so a command can exceed it by what it writes in that time; one file cannot.' },
    outputBytes: { by: 'channel' },
    wallMs: { by: 'timer' },
  };
}

function notesOf({ features }: Bwrap, cgroups: CgroupPlaces | undefined): string[] {
  return [
    ...(features.has('disable-userns')
      ? []
      : ['This bubblewrap cannot close nested user namespaces (0.8 can); the system call filter does.']),
    ...(features.has('size') ? [] : ['This bubblewrap cannot limit the size of private file systems; the memory limit does.']),
    ...(cgroups === undefined ? ['No cgroup can be made: no limit on the memory and CPUs of all processes together.'] : []),
  ];
}

function unavailable(reason: string, remedy: string): SandboxUnavailableError {
  return new SandboxUnavailableError('bwrap', reason, remedy);
}
