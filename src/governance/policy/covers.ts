import type { JsonValue } from '../../contracts/json.ts';
import type { PolicyRequest, Resource } from '../../contracts/policy.ts';
import { boundsCommands, commandsHold, type CommandResource } from './commands-hold.ts';
import type { CompiledRule, PathPattern, ValuePattern } from './compiled.ts';
import { fold } from './fold.ts';
import { globMatches, wildcardMatches } from './glob.ts';
import { hostMatches } from './host-pattern.ts';

type FileResource = Extract<Resource, { kind: 'file' }>;
export type HostResource = Extract<Resource, { kind: 'host' }>;

export interface FileFact {
  readonly resource: FileResource;
  readonly segments: readonly string[];
  folded: readonly string[] | undefined;
}

/** A request with its paths split once, for all the rules that look at them. */
export interface RequestFacts {
  readonly request: PolicyRequest;
  readonly files: readonly FileFact[];
  readonly hosts: readonly HostResource[];
  readonly commands: readonly CommandResource[];
}

export function factsOf(request: PolicyRequest): RequestFacts {
  const files: FileFact[] = [];
  const hosts: HostResource[] = [];
  const commands: CommandResource[] = [];
  for (const resource of request.resources) {
    if (resource.kind === 'file') files.push({ resource, segments: segmentsOf(resource.path), folded: undefined });
    else if (resource.kind === 'host') hosts.push(resource);
    else if (resource.kind === 'command') commands.push(resource);
  }
  return { request, files, hosts, commands };
}

export function segmentsOf(path: string): readonly string[] {
  return path === '.' ? [] : path.split('/');
}

export function foldedSegments(file: FileFact): readonly string[] {
  return (file.folded ??= file.segments.map(fold));
}

export function coversTool(rule: CompiledRule, tool: string): boolean {
  for (const pattern of rule.tools) if (toolMatches(pattern, tool)) return true;
  return false;
}

export function toolMatches(pattern: string, tool: string): boolean {
  return pattern === tool || pattern === '*' || (pattern.endsWith('.*') && tool.startsWith(pattern.slice(0, -1)));
}

/**
 * Whether the rule's bounds hold for the call; its tool is compared elsewhere. All bounds that are given must hold.
 *
 * An allow needs every resource, value and effect of the call within its bounds, and one to be there; an ask or deny
 * is met by any. A fact that is missing (a host call without a method) therefore never allows and always forbids.
 */
export function boundsHold(rule: CompiledRule, facts: RequestFacts): boolean {
  const mustAll = rule.verdict === 'allow';
  const { request } = facts;
  if (rule.agents !== undefined && !rule.agents.some((pattern) => wildcardMatches(pattern, request.agent))) return false;
  if (rule.effects !== undefined && !effectsHold(rule.effects, request, mustAll)) return false;
  if (rule.paths !== undefined && !pathsHold(rule.paths, facts.files, mustAll)) return false;
  if ((rule.hosts !== undefined || rule.methods !== undefined) && !hostsHold(rule, facts.hosts, mustAll)) return false;
  if (boundsCommands(rule) && !commandsHold(rule, facts.commands)) return false;
  return rule.args === undefined || argsHold(rule.args, request, mustAll);
}

function effectsHold(effects: NonNullable<CompiledRule['effects']>, request: PolicyRequest, mustAll: boolean): boolean {
  return mustAll ? request.effects.every((effect) => effects.includes(effect)) : request.effects.some((effect) => effects.includes(effect));
}

function pathsHold(patterns: readonly PathPattern[], files: readonly FileFact[], mustAll: boolean): boolean {
  for (const file of files) {
    const holds = mustAll ? pathAllowed(patterns, file) : pathForbidden(patterns, file);
    if (holds !== mustAll) return holds;
  }
  return mustAll && files.length > 0;
}

/** Exact: case, spelling and root as written. */
export function pathAllowed(patterns: readonly PathPattern[], file: FileFact): boolean {
  for (const { root, glob } of patterns) {
    if ((root === '*' || root === file.resource.root) && globMatches(glob.alternatives, file.segments)) return true;
  }
  return false;
}

function pathForbidden(patterns: readonly PathPattern[], file: FileFact): boolean {
  const segments = foldedSegments(file);
  for (const { root, glob } of patterns) {
    if ((root === '*' || root === file.resource.root) && globMatches(glob.folded, segments)) return true;
  }
  return false;
}

function hostsHold(rule: CompiledRule, hosts: readonly HostResource[], mustAll: boolean): boolean {
  for (const host of hosts) {
    const isNamed = rule.hosts === undefined || rule.hosts.some((pattern) => hostMatches(pattern, host.host, host.port));
    const hasMethod =
      rule.methods === undefined || (host.method === undefined ? !mustAll : rule.methods.includes(host.method.toUpperCase()));
    if ((isNamed && hasMethod) !== mustAll) return !mustAll;
  }
  return mustAll && hosts.length > 0;
}

function argsHold(args: NonNullable<CompiledRule['args']>, request: PolicyRequest, mustAll: boolean): boolean {
  for (const [name, patterns] of args) {
    const value = Object.hasOwn(request.args, name) ? request.args[name] : undefined;
    if (value === undefined) return false;
    if (!(mustAll ? valueAllowed(patterns, value) : valueForbidden(patterns, value))) return false;
  }
  return true;
}

/** Text, numbers and booleans by their text; of a list every element; an object is never within a bound. */
export function valueAllowed(patterns: readonly ValuePattern[], value: JsonValue): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((element: JsonValue) => valueAllowed(patterns, element));
  if (typeof value === 'object') return false;
  const text = String(value);
  return patterns.some((pattern) => wildcardMatches(pattern.source, text));
}

function valueForbidden(patterns: readonly ValuePattern[], value: JsonValue): boolean {
  if (value !== null && typeof value === 'object')
    return Object.values(value).some((element: JsonValue) => valueForbidden(patterns, element));
  const text = fold(String(value));
  return patterns.some((pattern) => wildcardMatches(pattern.folded, text));
}
