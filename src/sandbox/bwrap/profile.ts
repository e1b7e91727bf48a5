import { existsSync, lstatSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { egressInside, type SandboxSpec, workspaceInside } from '../sandbox.ts';
import { doorFds, supervisorArgs } from '../channel/supervisor.ts';
import type { MaskMount } from '../workspace/plan-masks.ts';
import type { Kit } from './kit.ts';

export interface ProfileInput {
  readonly kit: Kit;
  readonly spec: SandboxSpec;
  readonly workspaceFolder: string;
  readonly masks: readonly MaskMount[];
  /** Options that this bwrap knows. */
  readonly features: ReadonlySet<string>;
  /** `ulimit -u` holds the number of processes, where no cgroup does. */
  readonly processesByRlimit: boolean;
  /** How many resource groups the supervisor enters. */
  readonly doors: number;
  /** What machine and bwrap decide, by `machineMounts`. */
  readonly machine: MachineMounts;
}

/** Descriptors of the bwrap process itself; those below are the supervisor's. */
export const bwrapFds = { args: 10, seccomp: 11 } as const;

/** The same for every sandbox: what it runs, and with which limits, it is told by its options. */
export const bwrapCommand: readonly string[] = ['/run/clawhold/programs/sh', '/run/clawhold/programs/supervisor', 'environment'];

const privateBytes = 268_435_456;

/** The options of one sandbox, complete. They travel by a pipe, since the process is started before they are known. */
export function bwrapArgs(input: ProfileInput): string[] {
  const { spec, machine } = input;
  const isolation = '--unshare-all --unshare-user --die-with-parent --new-session --as-pid-1';
  const identity = '--uid 1000 --gid 1000 --hostname sandbox --cap-drop ALL --clearenv';
  return [
    ...words(`${isolation}${input.features.has('disable-userns') ? ' --disable-userns' : ''} ${identity}`),
    ...machine.system,
    ...bind('--ro-bind', input.kit.etc, '/etc'),
    ...machine.proc,
    ...privateMounts(input),
    ...bind('--ro-bind', input.kit.programs, '/run/clawhold/programs'),
    ...(spec.readOnly ?? []).flatMap(({ host, inside }) => bind('--ro-bind', host, inside)),
    ...bind('--bind', input.workspaceFolder, workspaceInside),
    ...input.masks.flatMap((mask) => maskMount(input, mask)),
    ...(spec.network === 'none' ? [] : bind('--ro-bind', spec.network.egressSocketDir, egressInside)),
    ...words(`--remount-ro /dev --remount-ro / --chdir / --seccomp ${bwrapFds.seccomp} --setenv _ceilings`),
    ceilings(input),
  ];
}

function ceilings({ spec: { limits }, doors, processesByRlimit }: ProfileInput): string {
  return supervisorArgs({
    doors: doorFds.slice(0, doors),
    ...(limits.openFiles === undefined ? {} : { openFiles: limits.openFiles }),
    ...(limits.diskBytes === undefined ? {} : { fileBytes: limits.diskBytes }),
    ...(limits.processMemoryBytes === undefined ? {} : { processMemoryBytes: limits.processMemoryBytes }),
    ...(processesByRlimit && limits.pids !== undefined ? { processes: limits.pids + supervisorProcesses } : {}),
  }).join(' ');
}

function words(text: string): string[] {
  return text.split(' ');
}

function bind(option: string, host: string, inside: string): string[] {
  return [option, host, inside];
}

/** What a sandbox needs beside the commands' own processes. */
export const supervisorProcesses = 3;

/** Looked up once for a driver: the machine's own folders stay what they are. */
export interface MachineMounts {
  readonly system: readonly string[];
  readonly proc: readonly string[];
}

export function machineMounts(kit: Kit): MachineMounts {
  return { system: systemMounts(), proc: procMounts(kit) };
}

/** The machine's programs. `/bin` and the like are what they are on the host: links into `/usr`, or folders. */
function systemMounts(): string[] {
  const args = ['--ro-bind', '/usr', '/usr'];
  for (const name of ['/bin', '/sbin', '/lib', '/lib32', '/lib64', '/libx32']) {
    const found = existsSync(name) ? lstatSync(name) : undefined;
    if (found?.isSymbolicLink() === true) args.push('--symlink', readlinkSync(name), name);
    else if (found !== undefined) args.push('--ro-bind', name, name);
  }
  return args;
}

/** `/proc/sys` is read-only even for a bwrap that real root has started; files that tell about the host are empty. */
function procMounts(kit: Kit): string[] {
  const emptied = ['cmdline', 'keys', 'key-users', 'sched_debug'];
  const shown = emptied.filter((name) => existsSync(`/proc/${name}`));
  return [
    ...words('--proc /proc --ro-bind /proc/sys /proc/sys'),
    ...shown.flatMap((name) => bind('--ro-bind', kit.emptyFile, `/proc/${name}`)),
    ...words('--dev /dev'),
  ];
}

/** All that commands can write beside the workspace, each of a limited size, all gone with the sandbox. */
function privateMounts({ spec, features }: ProfileInput): string[] {
  const size = features.has('size') ? ['--size', String(Math.min(spec.limits.diskBytes ?? privateBytes, privateBytes))] : [];
  return [...size, '--tmpfs', '/tmp', ...size, '--tmpfs', '/dev/shm', ...size, '--tmpfs', '/var/tmp'];
}

function maskMount({ kit, workspaceFolder }: ProfileInput, mask: MaskMount): string[] {
  const host = path.join(workspaceFolder, mask.path);
  const inside = path.posix.join(workspaceInside, mask.path);
  if (mask.mode === 'pin') return ['--bind', host, inside];
  if (mask.mode === 'read-only' && !mask.missing) return ['--ro-bind', host, inside];
  return ['--ro-bind', mask.kind === 'folder' ? kit.emptyFolder : kit.emptyFile, inside];
}
