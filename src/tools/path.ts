import { agentFile, isAgentWritable } from './path/agent-file.ts';
import { disguiseFault, nameFault } from './path/name-fault.ts';

/** A folder that paths may lead into. `workspace` and `agent` are always called so; others are read-only. */
export interface RootName {
  readonly name: string;
  /** Absolute. */
  readonly dir: string;
  readonly access: 'read' | 'write';
  /** Of root `agent`: names in `memory/` that the agent may write. */
  readonly memory?: readonly string[];
}

/** A path beneath a root: normalized, relative, separated by `/`; `.` is the root itself. */
export interface RootPath {
  readonly root: string;
  readonly path: string;
}

export interface OutsidePath {
  readonly outside: true;
  /** The end of a sentence that begins with "the path". */
  readonly why: string;
}

const maxPathBytes = 1024;
const maxDepth = 64;
const rootPrefix = /^([^/:]*):(.*)$/s;

/**
 * Reads a path that a model wrote. Purely lexical: what it answers is still opened by the guard, without following links.
 *
 * - `docs/a.md` is in `workspace`; `repo:src/a.ts` in the root `repo`; a first name with a colon always means a root.
 * - An absolute path is accepted only beneath a root's folder, and becomes relative to it (the innermost root wins).
 * - What lies in another root that lies within this one is named by that root only, so that it has the rights and the
 *   rules of one name: a deny of `private/**` is not passed by as `repo:workspace/private`.
 * - `..` is refused anywhere, even where it would stay inside: a path has one spelling.
 * - Percent escapes are not decoded, and a path that would be refused after decoding is refused.
 * - `.git`, `.clawhold` and all their spellings, invisible characters, backslashes, trailing dots: refused.
 *
 * Contract: a result without `outside`, joined to its root's folder, is that folder or lies beneath it.
 */
export function classifyPath(raw: string, roots: readonly RootName[]): RootPath | OutsidePath {
  if (raw === '') return outside('is empty; `.` is the workspace itself');
  if (Buffer.byteLength(raw) > maxPathBytes) return outside(`is longer than ${maxPathBytes} bytes`);
  const placed = raw.startsWith('/') ? placeAbsolute(raw, roots) : placeRelative(raw, roots);
  if ('outside' in placed) return placed;
  const names = placed.path.split('/').filter((name) => name !== '' && name !== '.');
  const path = names.length === 0 ? '.' : names.join('/');
  const fault = pathFault(names, path);
  if (fault !== undefined) return outside(fault);
  const inner = innerRoot({ root: placed.root, path }, roots);
  if (inner !== undefined) return outside(`lies in another root; write it as \`${displayPath(inner)}\``);
  if (placed.root !== 'agent') return { root: placed.root, path };
  const own = agentFile(path);
  return own === undefined
    ? outside(
        'is not one of your own files: `agent:` holds SOUL.md, RULES.md, TOOLS.md, SPECPLAN.md, DEVPLAN.md, HANDOFF.md and memory/NAME',
      )
    : { root: 'agent', path: own };
}

/** Why the path must not be changed although it may be read; undefined when it may. */
export function writeFault(at: RootPath, roots: readonly RootName[]): string | undefined {
  const root = roots.find((candidate) => candidate.name === at.root);
  if (root === undefined) return `is in an unknown root \`${at.root}:\``;
  if (root.access !== 'write') return `is in \`${at.root}:\`, which is read-only`;
  if (at.root !== 'agent' || isAgentWritable(at.path, root.memory ?? [])) return undefined;
  return 'is one of your own files that only a human changes; you may change agent:DEVPLAN.md, agent:HANDOFF.md and granted memory';
}

/** How people and models read it: `docs/a.md`, `agent:HANDOFF.md`. */
export function displayPath(at: RootPath): string {
  return at.root === 'workspace' ? at.path : `${at.root}:${at.path}`;
}

/** The place by the name of a root that lies beneath this one's and holds it. */
function innerRoot(at: RootPath, roots: readonly RootName[]): RootPath | undefined {
  const outer = roots.find((root) => root.name === at.root)?.dir;
  if (outer === undefined || roots.length < 3) return undefined;
  const inside = roots.filter(({ name, dir }) => name !== 'agent' && dir.length > outer.length && isBeneath(dir, outer));
  const inner = placeAbsolute(at.path === '.' ? outer : `${outer === '/' ? '' : outer}/${at.path}`, inside);
  return 'outside' in inner ? undefined : { root: inner.root, path: inner.path.replace(/^\//, '') || '.' };
}

function isBeneath(place: string, dir: string): boolean {
  return place === dir || place.startsWith(dir.endsWith('/') ? dir : `${dir}/`);
}

function pathFault(names: readonly string[], path: string): string | undefined {
  if (names.length > maxDepth) return `is deeper than ${maxDepth} folders`;
  if (names[0]?.startsWith('~')) return 'begins with `~`; there is no home folder here, write it relative to the workspace';
  if (names[0]?.includes(':')) return 'has a colon in its first name, which is how another root is named';
  return names.map(nameFault).find((fault) => fault !== undefined) ?? disguiseFault(path);
}

function placeRelative(raw: string, roots: readonly RootName[]): RootPath | OutsidePath {
  const match = rootPrefix.exec(raw);
  const name = match?.[1] ?? 'workspace';
  if (!roots.some((root) => root.name === name)) {
    return outside(`begins with \`${name}:\`, but there is no such root; there are: ${roots.map((root) => root.name).join(', ')}`);
  }
  const path = match?.[2] ?? raw;
  return path.startsWith('/') ? outside('is absolute after its root name') : { root: name, path };
}

function placeAbsolute(raw: string, roots: readonly RootName[]): RootPath | OutsidePath {
  const inside = roots.filter((root) => isBeneath(raw, root.dir));
  const innermost = inside.toSorted((a, b) => b.dir.length - a.dir.length)[0];
  if (innermost === undefined) return outside('is absolute and leads outside your roots; write it relative to the workspace');
  return { root: innermost.name, path: raw.slice(innermost.dir.length) };
}

function outside(why: string): OutsidePath {
  return { outside: true, why };
}
