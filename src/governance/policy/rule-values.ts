import type { CompiledRule } from './compiled.ts';
import { asExample, instancesOf, pathInstancesOf } from './instances.ts';

/** One value of a rule as its file has it, and the rule with that value alone. */
export type RuleValue = readonly [value: string, one: CompiledRule];

/** The rule with one of its bounds narrowed to one value, for each bound that has several. */
export function valuesOf(rule: CompiledRule): readonly RuleValue[] {
  return [
    ...each(rule.tools, (tool) => [`${rule.verdict}: ${tool}`, { ...rule, tools: [tool] }]),
    ...each(rule.paths, (path) => [`paths: ${rootOf(path.root)}${path.glob.source}`, { ...rule, paths: [path] }]),
    ...each(rule.hosts, (host) => [`hosts: ${host.source}`, { ...rule, hosts: [host] }]),
    ...each(rule.methods, (method) => [`methods: ${method}`, { ...rule, methods: [method] }]),
    ...each(rule.commands, (command) => [`commands: ${command.source}`, { ...rule, commands: [command] }]),
    ...each(rule.cwd, (glob) => [`cwd: ${glob.source}`, { ...rule, cwd: [glob] }]),
    ...each(rule.agents, (agent) => [`agents: ${agent}`, { ...rule, agents: [agent] }]),
    ...argumentValues(rule),
  ];
}

function each<T>(values: readonly T[] | undefined, narrow: (value: T) => RuleValue): readonly RuleValue[] {
  return values === undefined || values.length < 2 ? [] : values.map(narrow);
}

function argumentValues(rule: CompiledRule): readonly RuleValue[] {
  const args = rule.args ?? [];
  return args.flatMap(([name, patterns]) =>
    each(patterns, (pattern) => {
      const narrowed = args.map(([other, all]) => (other === name ? ([other, [pattern]] as const) : ([other, all] as const)));
      return [`args: ${name}: ${pattern.source}`, { ...rule, args: narrowed }];
    }),
  );
}

/** A call that the rule admits, as a person would write it. */
export function witnessOf({ tools, paths, hosts, methods, commands, args }: CompiledRule): string {
  const tool = (tools[0] ?? '').replace(/\*$/, 'x');
  const parts = [
    ...(paths ?? []).slice(0, 1).map(examplePath),
    ...(methods ?? []).slice(0, 1),
    ...(hosts ?? []).slice(0, 1).map(({ source }) => source.replace('*', 'x')),
    ...(commands ?? []).slice(0, 1).map(({ words }) => words.map((word) => word.replace(/[*?]+/g, 'x')).join(' ')),
    ...(args ?? []).map(([name, patterns]) => `${name}=${asExample(instancesOf(patterns[0]?.source ?? '', 0)?.at(-1) ?? '')}`),
  ];
  return [tool, ...parts.map((part) => JSON.stringify(part))].join(' ');
}

function examplePath({ root, glob }: NonNullable<CompiledRule['paths']>[number]): string {
  const [first] = glob.alternatives;
  const names = first === undefined ? undefined : pathInstancesOf(first, { length: 0, depth: 0 })?.at(-1);
  return `${rootOf(root).replace('*', 'x')}${(names ?? []).map(asExample).join('/')}`;
}

function rootOf(root: string): string {
  return root === 'workspace' ? '' : `${root}:`;
}
