import type { Effect } from '../../contracts/tool.ts';
import { commandForbidden, type CommandPattern } from './command-pattern.ts';
import type { CompiledRule, PathPattern, ValuePattern } from './compiled.ts';
import { fold } from './fold.ts';
import { globMatches, wildcardMatches, type Alternative } from './glob.ts';
import { hostMatches, type HostPattern } from './host-pattern.ts';
import { anyCharacter, instancesOf, pathInstancesOf, productOf } from './instances.ts';

/** Effects of a tool by its name; undefined when it is not known. */
export type EffectsOf = (tool: string) => readonly Effect[] | undefined;

/**
 * Whether every call that `inner` (an allow, an ask or a grant) admits is one that `deny` forbids, bound by bound. Tried
 * on instances that stand for all texts of a pattern, with the functions that decide calls. A bound of `deny` on
 * something that `inner` leaves open, and whatever cannot be told, counts as not covered.
 */
export function ruleCovers(deny: CompiledRule, inner: CompiledRule, effectsOf: EffectsOf): boolean {
  return (
    inner.tools.every((tool) => deny.tools.some((wider) => toolWithin(tool, wider))) &&
    agentsWithin(inner.agents, deny.agents) &&
    effectsWithin(inner, deny.effects, effectsOf) &&
    pathsWithin(inner.paths, deny.paths) &&
    hostsWithin(inner, deny) &&
    commandsWithin(inner, deny) &&
    argsWithin(inner.args, deny.args)
  );
}

function toolWithin(tool: string, wider: string): boolean {
  return wider === '*' || wider === tool || (wider.endsWith('.*') && tool.startsWith(wider.slice(0, -1)));
}

function agentsWithin(agents: CompiledRule['agents'], wider: CompiledRule['agents']): boolean {
  if (wider === undefined) return true;
  if (agents === undefined) return wider.some((pattern) => /^\*+$/.test(pattern));
  return agents.every((agent) => wider.some((pattern) => everyInstance(agent, pattern)));
}

/** A deny for effects is met by a tool that has one of them. */
function effectsWithin({ tools }: CompiledRule, wider: CompiledRule['effects'], effectsOf: EffectsOf): boolean {
  return wider === undefined || tools.every((tool) => effectsOf(tool)?.some((effect) => wider.includes(effect)) === true);
}

function pathsWithin(paths: CompiledRule['paths'], wider: CompiledRule['paths']): boolean {
  if (wider === undefined) return true;
  return (
    paths !== undefined &&
    paths.every(({ root, glob }) => glob.alternatives.every((one) => wider.some((pattern) => pathWithin(root, one, pattern))))
  );
}

/** One pattern of the deny, and one alternative of it, must match all instances. */
function pathWithin(root: string, one: Alternative, { root: wideRoot, glob }: PathPattern): boolean {
  if (wideRoot !== '*' && wideRoot !== root) return false;
  const instances = pathInstancesOf(one, { length: glob.source.length, depth: glob.source.length });
  return (
    instances !== undefined && glob.folded.some((alternative) => instances.every((names) => globMatches([alternative], names.map(fold))))
  );
}

type HostBounds = Pick<CompiledRule, 'hosts' | 'methods'>;

function hostsWithin(inner: HostBounds, deny: HostBounds): boolean {
  if (deny.hosts === undefined && deny.methods === undefined) return true;
  // Without such a bound a call need not reach a host at all.
  if (inner.hosts === undefined && inner.methods === undefined) return false;
  return hostNamesWithin(inner.hosts, deny.hosts) && methodsWithin(inner.methods, deny.methods);
}

function hostNamesWithin(hosts: CompiledRule['hosts'], wider: CompiledRule['hosts']): boolean {
  if (wider === undefined) return true;
  if (hosts === undefined) return wider.some(({ match, port }) => match === 'any' && port === undefined);
  return hosts.every((host) => wider.some((pattern) => hostWithin(host, pattern)));
}

function methodsWithin(methods: CompiledRule['methods'], wider: CompiledRule['methods']): boolean {
  return wider === undefined || (methods !== undefined && methods.every((method) => wider.includes(method)));
}

const anyPort = 65_535;

function hostWithin({ match, port }: HostPattern, wider: HostPattern): boolean {
  const name = match === 'any' ? anyCharacter : 'exact' in match ? match.exact : `${anyCharacter}${match.suffix}`;
  return (port === undefined ? [undefined, anyPort] : [port]).every((one) => hostMatches(wider, name, one));
}

/** A deny that names variables is met only by calls that set one, and no rule makes a call do that. */
function commandsWithin(inner: CompiledRule, deny: CompiledRule): boolean {
  return deny.env === undefined && commandListWithin(inner.commands, deny.commands) && foldersWithin(inner.cwd, deny.cwd);
}

function commandListWithin(commands: CompiledRule['commands'], wider: CompiledRule['commands']): boolean {
  if (wider === undefined) return true;
  return commands !== undefined && commands.every((command) => wider.some((pattern) => commandWithin(command, pattern)));
}

function foldersWithin(folders: CompiledRule['cwd'], wider: CompiledRule['cwd']): boolean {
  if (wider === undefined) return true;
  if (folders === undefined) return false;
  const patterns = wider.map((glob) => ({ root: '*', glob }));
  return folders.every((folder) => folder.alternatives.every((one) => patterns.some((pattern) => pathWithin('workspace', one, pattern))));
}

function commandWithin({ words, isOpen }: CommandPattern, wider: CommandPattern): boolean {
  const argvs = productOf(words.map((word, at) => (at === 0 ? [word] : instancesOf(word, wider.source.length))));
  if (argvs === undefined) return false;
  const more = wider.words.map(() => anyCharacter);
  const all = words.length === 0 ? [[anyCharacter, ...more]] : isOpen ? [...argvs, ...argvs.map((argv) => argv.concat(more))] : argvs;
  return all.every((argv) => commandForbidden(wider, argv));
}

/** An argument that the deny bounds must be one that the inner rule bounds too: otherwise it may be absent. */
function argsWithin(args: CompiledRule['args'], wider: CompiledRule['args']): boolean {
  return (wider ?? []).every(([name, patterns]) => {
    const mine = args?.find(([other]) => other === name)?.[1];
    return mine !== undefined && mine.every((value) => patterns.some((pattern) => valueWithin(value, pattern)));
  });
}

function valueWithin({ source }: ValuePattern, { folded }: ValuePattern): boolean {
  return instancesOf(source, folded.length)?.every((text) => wildcardMatches(folded, fold(text))) ?? false;
}

function everyInstance(inner: string, wider: string): boolean {
  return instancesOf(inner, wider.length)?.every((text) => wildcardMatches(wider, text)) ?? false;
}
