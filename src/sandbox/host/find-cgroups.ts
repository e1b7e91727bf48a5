import { mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

export type Controller = 'memory' | 'pids' | 'cpu';

/** Where groups can be made on this machine, by controller; a controller that is missing cannot be used. */
export interface CgroupPlaces {
  readonly version: 1 | 2;
  readonly controllers: Readonly<Partial<Record<Controller, string>>>;
  /** Counts CPU time. */
  readonly usage?: string;
}

export interface CgroupSource {
  /** Text of /proc/self/mountinfo and /proc/self/cgroup. */
  readonly mountinfo: string;
  readonly membership: string;
}

export function readCgroupSource(pid: number | 'self' = 'self'): CgroupSource {
  return { mountinfo: readFileSync('/proc/self/mountinfo', 'utf8'), membership: readFileSync(`/proc/${pid}/cgroup`, 'utf8') };
}

/** The folders of a process's groups, by controller; the version 2 hierarchy under the name `unified`. */
export function groupsOf(source: CgroupSource): ReadonlyMap<string, string> {
  const own = new Map<string, string>();
  for (const line of source.membership.trim().split('\n')) {
    const [, names = '', group = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const name of names.split(',')) own.set(name, group);
  }
  const folders = new Map<string, string>();
  for (const line of source.mountinfo.trim().split('\n')) {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , root = '/', point = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') folders.set('unified', folderOf({ point, root, group: own.get('') }));
    if (type !== 'cgroup') continue;
    for (const name of options.split(',')) if (own.has(name)) folders.set(name, folderOf({ point, root, group: own.get(name) }));
  }
  return folders;
}

/** Tries every place by making and removing a group in it: rights, delegation and namespaces all decide, none is guessed. */
export function findCgroups(source: CgroupSource): CgroupPlaces | undefined {
  const places = groupsOf(source);
  return versionOne(places) ?? versionTwo(places.get('unified'));
}

function folderOf(group: { readonly point: string; readonly root: string; readonly group: string | undefined }): string {
  const { point, root, group: name = '/' } = group;
  return path.join(point, root !== '/' && name.startsWith(root) ? name.slice(root.length) : name);
}

function versionOne(places: ReadonlyMap<string, string>): CgroupPlaces | undefined {
  const usable = (name: string): string | undefined => {
    const folder = places.get(name);
    return folder !== undefined && canMakeGroup(folder) ? folder : undefined;
  };
  const found = Object.entries({ memory: usable('memory'), pids: usable('pids'), cpu: usable('cpu') }).filter(
    ([, folder]) => folder !== undefined,
  );
  if (found.length === 0) return undefined;
  const usage = usable('cpuacct');
  return {
    version: 1,
    controllers: Object.fromEntries(found),
    ...(usage === undefined ? {} : { usage }),
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
    return { version: 2, controllers: Object.fromEntries(controllers.map((name) => [name, folder])), usage: folder };
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

export function tryWrite(file: string, text: string): boolean {
  try {
    writeFileSync(file, text);
    return true;
  } catch {
    return false; // silent-ok: the caller looks at what is in force
  }
}

export function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // silent-ok: absent means nothing counted
  }
}
