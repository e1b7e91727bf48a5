import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { SandboxLimits } from '../sandbox.ts';

export type Controller = 'memory' | 'pids' | 'cpu';

/** Where groups can be made on this machine, by controller; a controller that is missing cannot be used. */
export interface CgroupPlaces {
  readonly version: 1 | 2;
  readonly controllers: Readonly<Partial<Record<Controller, string>>>;
  /** Counts CPU time. */
  readonly usage?: string;
  /** A version 2 hierarchy whose groups have `cgroup.kill`, also beside version 1. */
  readonly kill?: string;
}

export interface CgroupSource {
  /** Text of /proc/self/mountinfo and /proc/self/cgroup. */
  readonly mountinfo: string;
  readonly membership: string;
}

export function readCgroupSource(): CgroupSource {
  return { mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'), membership: readFileSync('/proc/self/cgroup', 'utf8') };
}

/** Tries every place by making and removing a group in it: rights, delegation and namespaces all decide, none is guessed. */
export function findCgroups(source: CgroupSource): CgroupPlaces | undefined {
  const own = new Map<string, string>();
  for (const line of source.membership.trim().split('\n')) {
    const [, names = '', group = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const name of names.split(',')) own.set(name, group);
  }
  const places = new Map<string, string>();
  let unified: string | undefined;
  for (const line of source.mountinfo.trim().split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '/', point = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') unified = folderOf(point, root, own.get(''));
    if (type !== 'cgroup') continue;
    for (const name of options.split(',')) if (own.has(name)) places.set(name, folderOf(point, root, own.get(name)));
  }
  return versionOne(places, unified) ?? versionTwo(unified);
}

function folderOf(point: string, root: string, group = '/'): string {
  const below = root !== '/' && group.startsWith(root) ? group.slice(root.length) : group;
  return path.join(point, below);
}

function versionOne(places: ReadonlyMap<string, string>, unified: string | undefined): CgroupPlaces | undefined {
  const usable = (name: string): string | undefined => {
    const folder = places.get(name);
    return folder !== undefined && canMakeGroup(folder) ? folder : undefined;
  };
  const found = Object.entries({ memory: usable('memory'), pids: usable('pids'), cpu: usable('cpu') }).filter(
    ([, folder]) => folder !== undefined,
  );
  if (found.length === 0) return undefined;
  const usage = usable('cpuacct');
  const kill = unified !== undefined && canMakeGroup(unified) ? unified : undefined;
  return {
    version: 1,
    controllers: Object.fromEntries(found),
    ...(usage === undefined ? {} : { usage }),
    ...(kill === undefined ? {} : { kill }),
  };
}

/** A group with members cannot give controllers to its children, so the parent is tried too, as under systemd's delegation. */
function versionTwo(unified: string | undefined): CgroupPlaces | undefined {
  if (unified === undefined) return undefined;
  for (const folder of [unified, path.dirname(unified)]) {
    if (!canMakeGroup(folder)) continue;
    for (const name of ['memory', 'pids', 'cpu']) tryWrite(path.join(folder, 'cgroup.subtree_control'), `+${name}`);
    const given = readText(path.join(folder, 'cgroup.subtree_control')).split(/\s+/);
    const controllers = (['memory', 'pids', 'cpu'] as const).filter((name) => given.includes(name));
    if (controllers.length === 0) continue;
    return { version: 2, controllers: Object.fromEntries(controllers.map((name) => [name, folder])), usage: folder, kill: folder };
  }
  return undefined;
}

function canMakeGroup(folder: string): boolean {
  const trial = path.join(folder, `clawhold-probe-${process.pid}`);
  try {
    mkdirSync(trial);
    rmdirSync(trial);
    return true;
  } catch {
    return false; // silent-ok: that is the answer
  }
}

function tryWrite(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch {
    return false; // silent-ok: the caller looks at what is in force
  }
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // silent-ok: absent means nothing counted
  }
}

/** One sandbox's groups, in every hierarchy that is used. */
export interface ResourceGroup {
  readonly folders: readonly string[];
  /** With all that it starts from now on. */
  add(pid: number): void;
  /** Processes killed for memory so far. */
  oomKills(): number;
  /** CPU time of all members so far; undefined where it is not counted. */
  cpuMs(): number | undefined;
  killAll(): void;
  remove(): Promise<void>;
}

/** The folders that `openGroup` will make: written down before they exist. */
export function groupFolders(places: CgroupPlaces, name: string): string[] {
  const parents = new Set([...Object.values(places.controllers), places.usage, places.kill].filter((place) => place !== undefined));
  return [...parents].map((parent) => path.join(parent, name));
}

export function openGroup(places: CgroupPlaces, name: string, limits: SandboxLimits): ResourceGroup {
  const folders = groupFolders(places, name);
  for (const folder of folders) mkdirSync(folder);
  const at = (place: string | undefined, file: string): string => path.join(place ?? '', name, file);
  setLimits(places, limits, at);
  const { memory } = places.controllers;
  return {
    folders,
    add(pid) {
      for (const folder of folders) writeFileSync(path.join(folder, 'cgroup.procs'), String(pid));
    },
    oomKills() {
      if (memory === undefined) return 0;
      const text = readText(at(memory, places.version === 1 ? 'memory.oom_control' : 'memory.events'));
      return Number(/^oom_kill (\d+)/m.exec(text)?.[1] ?? 0);
    },
    cpuMs() {
      if (places.usage === undefined) return undefined;
      if (places.version === 1) return Number(readText(at(places.usage, 'cpuacct.usage'))) / 1e6;
      return Number(/^usage_usec (\d+)/m.exec(readText(at(places.usage, 'cpu.stat')))?.[1] ?? 0) / 1e3;
    },
    killAll: () => killGroups(folders),
    remove: async () => removeGroups(folders),
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
