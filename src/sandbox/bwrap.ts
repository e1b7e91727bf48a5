import { mkdtemp, rm } from 'node:fs/promises';
import path from 'node:path';
import { reasonOf } from '../contracts/errors.ts';
import { type CgroupPlaces, findCgroups, readCgroupSource } from './host/find-cgroups.ts';
import { checkLimits } from './host/check-limits.ts';
import { newLocks } from './host/locks.ts';
import { openFifoStock, prepareRuntimeDir } from './host/registry.ts';
import { findLeakedFds } from './bwrap/cover-leaked-fds.ts';
import { type Bwrap, findBwrap } from './bwrap/find-bwrap.ts';
import { prepareKit } from './bwrap/kit.ts';
import { startBwrap, type StartBwrapContext } from './bwrap/start-bwrap.ts';
import type { Enforcements, Probe, SandboxCapabilities } from './probe.ts';
import { SandboxUnavailableError } from './sandbox-error.ts';
import type { Sandbox, SandboxDriver, SandboxSpec } from './sandbox.ts';
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
  const locks = newLocks();
  let ready: Promise<StartBwrapContext> | undefined;
  const context = async (): Promise<StartBwrapContext> => {
    ready ??= prepareContext(options, locks);
    ready.catch(() => {
      ready = undefined;
    });
    return await ready;
  };
  const start: SandboxDriver['start'] = async (spec, { signal } = {}) => {
    const prepared = await context();
    refuseImage(spec);
    checkLimits('bwrap', spec.limits, enforcementsOf(prepared.cgroups));
    return await startBwrap(prepared, spec, signal);
  };
  return { name: 'bwrap', capabilities: bwrapCapabilities, start, probe: async () => probeBwrap({ options, context, start }) };
}

async function prepareContext(options: BwrapOptions, locks: ReturnType<typeof newLocks>): Promise<StartBwrapContext> {
  if (process.platform !== 'linux') throw unavailable(`this is ${process.platform}`, 'Use it on Linux, or choose another driver');
  const machine = process.arch;
  if (machine !== 'x64' && machine !== 'arm64') throw unavailable(`there is no system call list for ${machine}`, 'Choose another driver');
  const bwrap = await findOrExplain(options.executable);
  await prepareRuntimeDir(options.runtimeDir);
  return {
    prepare: {
      driver: 'bwrap',
      runtimeDir: options.runtimeDir,
      uidRange: options.uidRange ?? defaultUidRange,
      alone: (workspace) => locks(workspace),
      fifos: openFifoStock(options.runtimeDir),
      openedByPath: ['stdin', 'stdout', 'stderr'],
      baseEnv: { PATH: '/usr/local/bin:/usr/bin:/bin', HOME: '/tmp', TMPDIR: '/tmp', LANG: 'C.UTF-8' },
    },
    startMs: options.startMs ?? 10_000,
    bwrap,
    kit: await prepareKit(options.runtimeDir),
    cgroups: findCgroups(readCgroupSource()),
    leakedFds: findLeakedFds(),
    filter: options.filter ?? encodeFilter(buildFilter(machine)),
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

interface ProbeContext {
  readonly options: BwrapOptions;
  readonly context: () => Promise<StartBwrapContext>;
  readonly start: SandboxDriver['start'];
}

async function probeBwrap({ options, context, start }: ProbeContext): Promise<Probe> {
  const about = { driver: 'bwrap', isolation: bwrapCapabilities.isolation } as const;
  try {
    const { bwrap, cgroups } = await context();
    await runCanary(options.runtimeDir, start);
    const notes = [
      ...(bwrap.features.has('disable-userns')
        ? []
        : ['This bubblewrap cannot close nested user namespaces (0.8 can); the system call filter does.']),
      ...(bwrap.features.has('size') ? [] : ['This bubblewrap cannot limit the size of private file systems; the memory limit does.']),
      ...(cgroups === undefined ? ['No cgroup can be made: no limit on the memory and CPUs of all processes together.'] : []),
    ];
    return { works: true, ...about, version: bwrap.version, limits: enforcementsOf(cgroups), features: [...bwrap.features], notes };
  } catch (error) {
    return {
      works: false,
      ...about,
      reason: reasonOf(error),
      remedy: 'Allow unprivileged user namespaces for bwrap and install bubblewrap 0.8 or newer.',
    };
  }
}

/** A whole sandbox with one command in it: what works for it works. */
async function runCanary(runtimeDir: string, start: SandboxDriver['start']): Promise<void> {
  const workspace = await mkdtemp(path.join(runtimeDir, 'canary-'));
  try {
    await using sandbox: Sandbox = await start({ label: 'canary', workspace, limits: {}, network: 'none' });
    const result = await sandbox.exec(['sh', '-c', 'exit 7'], { wallMs: 5000 });
    if (result.exitCode !== 7)
      throw unavailable(
        `a trial command ended with ${result.end} ${result.exitCode ?? ''}, not with its own exit code`,
        'Look at docs/sandboxes.md',
      );
  } finally {
    await rm(workspace, { recursive: true, force: true });
  }
}

function unavailable(reason: string, remedy: string): SandboxUnavailableError {
  return new SandboxUnavailableError('bwrap', reason, remedy);
}
