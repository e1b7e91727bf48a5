import { closeSync, mkdirSync, openSync, rmdirSync, writeFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxLimits } from '../sandbox.ts';
import { type CgroupPlaces, groupsOf, readCgroupSource, readText, tryWrite } from './find-cgroups.ts';

/** One sandbox's groups, in every hierarchy that is used. */
export interface ResourceGroup {
  readonly folders: readonly string[];
  /** Before the first process goes in. */
  limit(limits: SandboxLimits): void;
  /** To be given to a process: one that writes `0` into each of them is a member, with all that it starts from then on. */
  openDoors(): number[];
  isMember(pid: number): boolean;
  /** Processes killed for memory so far. */
  oomKills(): number;
  /** CPU time of all members so far; undefined where it is not counted. */
  cpuMs(): number | undefined;
  killAll(): void;
}

/** The folders that `openGroup` will make: written down before they exist. */
export function groupFolders(places: CgroupPlaces, name: string): string[] {
  const parents = new Set([...Object.values(places.controllers), places.usage].filter((place) => place !== undefined));
  return [...parents].map((parent) => path.join(parent, name));
}

/** Without limits. */
export function openGroup(places: CgroupPlaces, name: string): ResourceGroup {
  const folders = groupFolders(places, name);
  for (const folder of folders) mkdirSync(folder);
  const at = (place: string | undefined, file: string): string => path.join(place ?? '', name, file);
  return {
    ...readings(places.version, { memory: at(places.controllers.memory, ''), usage: at(places.usage, '') }),
    folders,
    limit: (limits) => setLimits(places, limits, at),
    openDoors: () => openAll(folders.map((folder) => path.join(folder, places.version === 1 ? 'tasks' : 'cgroup.procs'))),
    isMember: (pid) => folders.every((folder) => readText(path.join(folder, 'cgroup.procs')).split('\n').includes(String(pid))),
    killAll: () => killGroups(folders),
  };
}

/** The right to move a process is checked when the file is opened, so an unprivileged process can be given it. */
function openAll(files: readonly string[]): number[] {
  const opened: number[] = [];
  try {
    for (const file of files) opened.push(openSync(file, 'w'));
    return opened;
  } catch (error) {
    for (const fd of opened) closeSync(fd);
    throw error;
  }
}

function readings(version: 1 | 2, folders: { readonly memory: string; readonly usage: string }): Pick<ResourceGroup, 'oomKills' | 'cpuMs'> {
  return {
    oomKills() {
      const text = readText(path.join(folders.memory, version === 1 ? 'memory.oom_control' : 'memory.events'));
      return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0);
    },
    cpuMs() {
      const text = readText(path.join(folders.usage, version === 1 ? 'cpuacct.usage' : 'cpu.stat'));
      if (text === '') return undefined;
      return version === 1 ? Number(text) / 1e6 : Number(/^usage_usec (\d+)/m.exec(text)?.[1] ?? 0) / 1e3;
    },
  };
}

/**
 * Moving a process waits for all CPUs of the machine to pass a quiet point (10 ms and more). Version 1 lets a thread move
 * itself without. Version 2 does not, unless another move was asked for just before: this asks for one that changes
 * nothing, this process into its own group, so that the wait passes while a sandbox is prepared.
 * Source: `cgroup_procs_write_start` of Linux 5.5 and later.
 */
export async function announceMove(places: CgroupPlaces): Promise<void> {
  if (places.version === 1) return;
  const own = groupsOf(readCgroupSource()).get('unified');
  if (own !== undefined) await writeFile(path.join(own, 'cgroup.procs'), String(process.pid)).catch(() => {}); // silent-ok: only slower
}

/** The groups that someone else, a container engine, made around a process: to read, and to kill in. */
export function joinGroup(pid: number): ResourceGroup {
  const groups = groupsOf(readCgroupSource(pid));
  const unified = groups.get('unified') ?? '';
  const memory = groups.get('memory');
  const version = memory === undefined ? 2 : 1;
  const found = version === 1 ? { memory: memory ?? '', usage: groups.get('cpuacct') ?? '' } : { memory: unified, usage: unified };
  return {
    ...readings(version, found),
    folders: [],
    limit: () => {},
    openDoors: () => [],
    isMember: () => true,
    killAll: () => killGroups(memory === undefined ? [unified] : [memory]),
  };
}

function setLimits(places: CgroupPlaces, limits: SandboxLimits, at: (place: string | undefined, file: string) => string): void {
  const { memory, pids, cpu } = places.controllers;
  const first = places.version === 1;
  if (limits.memoryBytes !== undefined && memory !== undefined) {
    writeFileSync(at(memory, first ? 'memory.limit_in_bytes' : 'memory.max'), String(limits.memoryBytes));
    tryWrite(at(memory, first ? 'memory.memsw.limit_in_bytes' : 'memory.swap.max'), first ? String(limits.memoryBytes) : '0');
  }
  if (limits.pids !== undefined && pids !== undefined) writeFileSync(at(pids, 'pids.max'), String(limits.pids));
  if (limits.cpus !== undefined && cpu !== undefined) {
    const period = 100_000;
    const quota = Math.max(1000, Math.round(limits.cpus * period));
    if (first) writeFileSync(at(cpu, 'cpu.cfs_period_us'), String(period));
    writeFileSync(at(cpu, first ? 'cpu.cfs_quota_us' : 'cpu.max'), first ? String(quota) : `${quota} ${period}`);
  }
}

/** `cgroup.kill` is one atomic step; where it is missing, members are killed until none is left. */
export function killGroups(folders: readonly string[]): void {
  if (folders.some((folder) => tryWrite(path.join(folder, 'cgroup.kill'), '1'))) return;
  for (const folder of folders) {
    for (const pid of readText(path.join(folder, 'cgroup.procs')).split('\n')) {
      if (pid !== '') tryKill(Number(pid));
    }
  }
}

function tryKill(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // silent-ok: it ended meanwhile
  }
}

/** A group whose last member has just been killed is busy for some milliseconds. */
export async function removeGroups(folders: readonly string[]): Promise<void> {
  for (const folder of folders) {
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (removeGroup(folder)) break;
      killGroups([folder]);
      await sleep(10);
    }
  }
}

function removeGroup(folder: string): boolean {
  try {
    rmdirSync(folder);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT';
  }
}
