import { agentConfig, policyFile, type AgentConfig, type PolicyFile } from '../contracts/config.ts';
import { FixRequestError } from '../contracts/errors.ts';
import { reachesClass, strictestClass, type BoundaryClass } from '../contracts/isolation.ts';
import { hashJson, type JsonObject, type Sha256 } from '../contracts/json.ts';
import type { LayerName, PolicySource, Resource, RuleRef } from '../contracts/policy.ts';
import type { Effect, ToolDeclaration } from '../contracts/tool.ts';
import { parseYaml, type ParsedYaml } from '../state/yaml-file.ts';
import { builtinPlatformPolicy, builtinTenantPolicy } from './policy-templates.ts';
import { checkGrantExamples, checkRuleExamples } from './policy/check-examples.ts';
import { compileGrant, compileRule } from './policy/compile-rules.ts';
import type { CompiledLayer, CompiledRule } from './policy/compiled.ts';
import { coversTool } from './policy/covers.ts';

export type { CompiledLayer, CompiledRule } from './policy/compiled.ts';

/** A policy, compiled: everything that `decide` reads. It never changes. */
export interface PolicySnapshot {
  /** Hash of the sources, the built-in ones included. */
  readonly hash: Sha256;
  /** Platform, tenant, agent; complete, so that compiling them again gives an equal snapshot. */
  readonly sources: readonly PolicySource[];
  readonly layers: readonly CompiledLayer[];
  /** Memory names that the agent may edit. */
  readonly memory: ReadonlySet<string>;
  /** The agent's named read-only roots. */
  readonly rootNames: readonly string[];
  /** Values that a human trusts as destination or selector. */
  readonly trusted: readonly string[];
  /** The weakest sandbox that commands may run in: the strictest of all layers. */
  readonly sandbox: { readonly minimum: BoundaryClass; readonly weakened?: WeakenedMinimum };
  /** Where the rule of two was switched on. */
  readonly strictFlow?: RuleRef;
  /** Names of all tools there are; undefined when the caller did not say. */
  readonly tools?: ReadonlySet<string>;
  /** What they do, by name. */
  readonly effects?: ReadonlyMap<string, readonly Effect[]>;
  /** The sandbox that a tool itself demands, by name. */
  readonly minimums?: ReadonlyMap<string, BoundaryClass>;
}

/** A tenant's file that names a weaker sandbox than the platform's: the stronger holds all the same. */
export interface WeakenedMinimum {
  readonly rule: RuleRef;
  readonly value: BoundaryClass;
  readonly higher: RuleRef;
}

export interface CompileOptions {
  /** The tools there are: unknown ones are denied, and examples are read by the declared arguments. */
  readonly tools?: readonly ToolDeclaration[];
  /** The agent's file as it was parsed already; used if it is the same text. */
  readonly agent?: ParsedYaml<AgentConfig>;
  /** How the arguments of examples are read; default `readResources` with the agent's root names. */
  readonly resourcesOf?: (tool: ToolDeclaration, args: JsonObject) => readonly Resource[];
}

const order: readonly LayerName[] = ['platform', 'tenant', 'agent'];

/**
 * Compiles the policy of one agent from the texts of its three files. Pure. A missing platform file is replaced by the
 * built-in policy, a missing tenant file narrows nothing, a missing agent file grants nothing.
 *
 * @throws FixRequestError with file and line when a file breaks its format, a pattern cannot be used, an example
 * fails, or a lower layer tries to loosen what a higher one set.
 */
export function compilePolicy(sources: readonly PolicySource[], options: CompileOptions = {}): PolicySnapshot {
  const complete = completeSources(sources);
  const [platformSource, tenantSource, agentSource] = complete as [PolicySource, PolicySource, PolicySource];
  const platform = parseYaml<PolicyFile>(platformSource.text, policyFile, platformSource.file);
  const tenant = parseYaml<PolicyFile>(tenantSource.text, policyFile, tenantSource.file);
  const known = options.agent?.text === agentSource.text ? options.agent : undefined;
  const agent = known ?? parseYaml<AgentConfig>(agentSource.text, agentConfig, agentSource.file);
  const strictFlow = strictestFlow([
    { source: platformSource, read: platform },
    { source: tenantSource, read: tenant },
    { source: agentSource, read: agent },
  ]);
  const weakened = weakenedMinimum({ source: platformSource, read: platform }, { source: tenantSource, read: tenant });
  return {
    hash: hashJson(complete.map(({ layer, file, text }) => ({ layer, file, text }))),
    sources: complete,
    layers: [
      fileLayer(platformSource, platform, options),
      fileLayer(tenantSource, tenant, options),
      agentLayer(agentSource, agent, options),
    ],
    memory: new Set(agent.value.memory),
    rootNames: Object.keys(agent.value.roots ?? {}),
    trusted: [...(platform.value.trusted ?? []), ...(tenant.value.trusted ?? [])],
    sandbox: {
      minimum: strictestClass(...[platform, tenant, agent].map(({ value }) => value.sandbox?.minimum)),
      ...(weakened === undefined ? {} : { weakened }),
    },
    ...(strictFlow === undefined ? {} : { strictFlow }),
    ...toolFacts(options.tools),
  };
}

function toolFacts(tools: CompileOptions['tools']): Pick<PolicySnapshot, 'tools' | 'effects' | 'minimums'> {
  if (tools === undefined) return {};
  return {
    tools: new Set(tools.map(({ name }) => name)),
    effects: new Map(tools.map(({ name, effects }) => [name, effects])),
    minimums: minimumsOf(tools),
  };
}

function minimumsOf(tools: readonly ToolDeclaration[]): ReadonlyMap<string, BoundaryClass> {
  return new Map(tools.flatMap(({ name, minimumClass }) => (minimumClass === undefined ? [] : [[name, minimumClass] as const])));
}

interface PolicyPart {
  readonly source: PolicySource;
  readonly read: ReadFile<PolicyFile>;
}

function weakenedMinimum(platform: PolicyPart, tenant: PolicyPart): WeakenedMinimum | undefined {
  const [higher, value] = [platform.read.value.sandbox?.minimum, tenant.read.value.sandbox?.minimum];
  if (higher === undefined || value === undefined || reachesClass(value, higher)) return undefined;
  const refOf = ({ source, read }: PolicyPart): RuleRef => ({
    layer: source.layer,
    id: 'sandbox.minimum',
    file: source.file,
    line: read.lineOf(['sandbox', 'minimum']),
  });
  return { rule: refOf(tenant), value, higher: refOf(platform) };
}

function completeSources(sources: readonly PolicySource[]): readonly PolicySource[] {
  const defaults: Readonly<Record<LayerName, PolicySource>> = {
    platform: { layer: 'platform', file: 'builtin:platform', text: builtinPlatformPolicy },
    tenant: { layer: 'tenant', file: 'builtin:tenant', text: builtinTenantPolicy },
    agent: { layer: 'agent', file: 'builtin:agent', text: 'version: 1\n' },
  };
  return order.map((layer) => {
    const found = sources.filter((source) => source.layer === layer);
    if (found.length > 1) {
      const files = found.map((source) => source.file).join(' and ');
      throw new FixRequestError(
        'governance.bad-policy',
        `The ${layer} layer has ${found.length} files (${files}), because more than one was given; keep one.`,
      );
    }
    return found[0] ?? defaults[layer];
  });
}

/** The first layer that says strict; a lower layer that says otherwise is refused, not ignored. */
function strictestFlow(
  files: readonly { readonly source: PolicySource; readonly read: ReadFile<{ flow?: 'labels' | 'strict' | undefined }> }[],
): RuleRef | undefined {
  let strict: RuleRef | undefined;
  for (const { source, read } of files) {
    const { flow } = read.value;
    const line = read.lineOf(['flow']);
    if (flow === 'strict') strict ??= { layer: 'flow', id: 'rule-of-two', file: source.file, line };
    else if (flow === 'labels' && strict !== undefined) {
      throw new FixRequestError(
        'governance.looser-layer',
        `${source.file}:${line}: flow: labels cannot be used, because ${strict.file}:${strict.line} says strict and a lower layer only narrows. Remove the line.`,
      );
    }
  }
  return strict;
}

type ReadFile<T> = Pick<ParsedYaml<T>, 'value' | 'lineOf'>;

function fileLayer(source: PolicySource, read: ReadFile<PolicyFile>, options: CompileOptions): CompiledLayer {
  const { value } = read;
  const seen = new Map<string, number>();
  const rules = (value.rules ?? []).map((rule, index) => {
    const line = read.lineOf(['rules', index]);
    const other = seen.get(rule.id);
    if (other !== undefined) {
      throw new FixRequestError(
        'governance.bad-policy',
        `${source.file}:${line}: the rule id "${rule.id}" is taken, because the rule at line ${other} has it; give each rule its own.`,
      );
    }
    seen.set(rule.id, line);
    const compiled = compileRule(rule, { layer: source.layer, id: rule.id, file: source.file, line });
    if (options.tools !== undefined)
      checkRuleExamples(compiled, rule, { ...options, tools: options.tools, lineOf: (path) => read.lineOf(['rules', index, ...path]) });
    return compiled;
  });
  return layerOf({ source, line: read.lineOf(['rules']) }, rules, options);
}

function agentLayer(source: PolicySource, read: ReadFile<AgentConfig>, options: CompileOptions): CompiledLayer {
  const { value } = read;
  const rules = Object.entries(value.grants ?? {}).flatMap(([tool, given]) => {
    const isList = Array.isArray(given);
    const grants = isList ? given : [given];
    return grants.map((grant, index) => {
      const path = isList ? ['grants', tool, index] : ['grants', tool];
      const compiled = compileGrant(tool, grant, { layer: 'agent', id: `grants.${tool}`, file: source.file, line: read.lineOf(path) });
      if (options.tools !== undefined) {
        const rootNames = Object.keys(value.roots ?? {});
        checkGrantExamples(compiled, grant, {
          ...options,
          tools: options.tools,
          rootNames,
          lineOf: (rest) => read.lineOf([...path, ...rest]),
        });
      }
      return compiled;
    });
  });
  return layerOf({ source, line: read.lineOf(['grants']) }, rules, options);
}

function layerOf(
  place: { readonly source: PolicySource; readonly line: number },
  rules: readonly CompiledRule[],
  options: CompileOptions,
): CompiledLayer {
  const { source, line } = place;
  const names = new Set([...(options.tools ?? []).map((tool) => tool.name), ...rules.flatMap((rule) => rule.tools)]);
  const byTool = new Map([...names].map((name) => [name, rules.filter((rule) => coversTool(rule, name))] as const));
  return { layer: source.layer, file: source.file, line, rules, byTool };
}
