import type { Grant, PolicyRule } from '../../contracts/config.ts';
import { ClawholdError, FixRequestError } from '../../contracts/errors.ts';
import type { RuleRef, Verdict } from '../../contracts/policy.ts';
import { compileCommand } from './command-pattern.ts';
import type { CompiledRule, PathPattern, ValuePattern } from './compiled.ts';
import { fold } from './fold.ts';
import { compileGlob } from './glob.ts';
import { compileHostPattern } from './host-pattern.ts';

const toolPattern = /^(\*|[a-zA-Z0-9_-]+(\.[a-zA-Z0-9_-]+)*(\.\*)?)$/;

/** @throws FixRequestError with file and line when a pattern cannot be used. */
export function compileRule(rule: PolicyRule, ref: RuleRef): CompiledRule {
  const [verdict, tools] = verdictOf(rule);
  return atLine(ref, () => {
    for (const tool of tools) {
      if (!toolPattern.test(tool)) throw badTool(tool, 'a tool name, a prefix such as fs.*, or *');
    }
    if (rule.seconds !== undefined && verdict !== 'allow') throw badSeconds(verdict);
    return {
      ref,
      verdict,
      tools,
      ...compileBounds(rule),
      agents: rule.agents,
      effects: rule.effects,
      why: rule.why,
    };
  });
}

/** A grant is a rule for one tool: it allows, or asks with `ask: true`. @throws as compileRule */
export function compileGrant(tool: string, grant: Grant, ref: RuleRef): CompiledRule {
  return atLine(ref, () => {
    if (!toolPattern.test(tool) || tool.includes('*')) throw badTool(tool, 'the whole name of one tool');
    return {
      ref,
      verdict: grant.ask === true ? 'ask' : 'allow',
      tools: [tool],
      ...compileBounds(grant),
      agents: undefined,
      effects: undefined,
      why: undefined,
    };
  });
}

function verdictOf(rule: PolicyRule): readonly [Verdict, readonly string[]] {
  if (rule.deny !== undefined) return ['deny', listOf(rule.deny)];
  if (rule.ask !== undefined) return ['ask', listOf(rule.ask)];
  return ['allow', listOf(rule.allow ?? [])];
}

function listOf(value: string | readonly string[]): readonly string[] {
  return typeof value === 'string' ? [value] : value;
}

type Bounds = 'paths' | 'hosts' | 'methods' | 'args' | 'commands' | 'cwd' | 'env' | 'seconds';

function compileBounds(bounds: Pick<Grant, Bounds>): Pick<CompiledRule, Bounds> {
  const { args } = bounds;
  return {
    paths: bounds.paths?.map(compilePath),
    hosts: bounds.hosts?.map(compileHostPattern),
    methods: bounds.methods?.map((method) => method.toUpperCase()),
    args: args === undefined ? undefined : Object.entries(args).map(([name, values]) => [name, values.map(compileValue)] as const),
    commands: bounds.commands?.map(compileCommand),
    cwd: bounds.cwd?.map((source) => compileGlob(source)),
    env: bounds.env,
    seconds: bounds.seconds,
  };
}

function compilePath(source: string): PathPattern {
  const prefix = /^(\*|[a-z][a-z0-9-]*):/.exec(source);
  return { root: prefix?.[1] ?? 'workspace', glob: compileGlob(prefix === null ? source : source.slice(prefix[0].length)) };
}

function compileValue(source: string): ValuePattern {
  return { source, folded: fold(source), isEverything: /^[*?]+$/.test(source) };
}

function badTool(tool: string, must: string): FixRequestError {
  return new FixRequestError('governance.bad-pattern', `The tool ${JSON.stringify(tool)} cannot be used: it must be ${must}. Correct it.`);
}

function badSeconds(verdict: Verdict): FixRequestError {
  return new FixRequestError(
    'governance.bad-pattern',
    `seconds cannot bound a rule that says ${verdict}: it is the longest time that is allowed. Put it into an allow rule or a grant.`,
  );
}

function atLine<T>(ref: RuleRef, make: () => T): T {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof ClawholdError)) throw error;
    throw new FixRequestError(error.code, `${ref.file}:${ref.line}: ${ref.id}: ${error.message}`, { cause: error });
  }
}
