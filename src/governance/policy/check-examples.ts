import type { Grant, PolicyRule } from '../../contracts/config.ts';
import { FixRequestError } from '../../contracts/errors.ts';
import type { AgentId, TenantId } from '../../contracts/ids.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { PolicyRequest, Resource } from '../../contracts/policy.ts';
import { defaultCommandSeconds, type ToolDeclaration } from '../../contracts/tool.ts';
import { namesNoTime, withSeconds } from '../granted-time.ts';
import { readResources } from '../resources.ts';
import type { CompiledRule } from './compiled.ts';
import { boundsHold, coversTool, factsOf } from './covers.ts';

/** The 1-based line of a part of a policy file. */
export type LineOf = (path: readonly (string | number)[]) => number;

export interface ExampleContext {
  readonly lineOf: LineOf;
  readonly tools: readonly ToolDeclaration[];
  readonly rootNames?: readonly string[];
  readonly resourcesOf?: (tool: ToolDeclaration, args: JsonObject) => readonly Resource[];
}

interface Example {
  readonly tool: string;
  readonly args: JsonObject;
}

/** @throws FixRequestError with the example's line when a `match` is not covered by the rule or a `skip` is. */
export function checkRuleExamples(rule: CompiledRule, written: PolicyRule, context: ExampleContext): void {
  for (const kind of ['match', 'skip'] as const) {
    written.examples?.[kind]?.forEach((example, index) => {
      check(rule, { tool: example.tool, args: example.args ?? {} }, { ...context, kind, line: context.lineOf(['examples', kind, index]) });
    });
  }
}

/** As checkRuleExamples; the tool of every example is the grant's own. */
export function checkGrantExamples(rule: CompiledRule, written: Grant, context: ExampleContext): void {
  const tool = rule.tools[0] ?? '';
  for (const kind of ['match', 'skip'] as const) {
    written.examples?.[kind]?.forEach((args, index) => {
      check(rule, { tool, args }, { ...context, kind, line: context.lineOf(['examples', kind, index]) });
    });
  }
}

type CheckContext = ExampleContext & { readonly kind: 'match' | 'skip'; readonly line: number };

function check(rule: CompiledRule, example: Example, context: CheckContext): void {
  const declaration = context.tools.find((tool) => tool.name === example.tool);
  if (declaration === undefined) return checkToolOnly(rule, example, context);
  const resources = context.resourcesOf?.(declaration, example.args) ?? readResources(declaration, example.args, context.rootNames ?? []);
  const outside = resources.find((resource) => resource.kind === 'outside');
  const isCovered =
    outside === undefined &&
    coversTool(rule, example.tool) &&
    boundsHold({ ...rule, ...openAgents(rule) }, factsOf(timed(requestOf(declaration, example, resources), rule)));
  if (isCovered === (context.kind === 'match')) return;
  const why = outside?.kind === 'outside' ? `, because the path ${JSON.stringify(outside.raw)} ${outside.why}` : '';
  throw failed(rule, example, { ...context, why });
}

/** A call that names no time gets what the rule allows, as in a run. */
function timed(request: PolicyRequest, { seconds = defaultCommandSeconds }: CompiledRule): PolicyRequest {
  return namesNoTime(request) && seconds < defaultCommandSeconds ? withSeconds(request, seconds) : request;
}

/** A tool that this installation lacks cannot be read by its declaration: only its name is compared. */
function checkToolOnly(rule: CompiledRule, example: Example, context: CheckContext): void {
  if (context.kind === 'match' && !coversTool(rule, example.tool)) throw failed(rule, example, { ...context, why: '' });
}

/** An example has no agent: a rule for some agents is tried as one of them. */
function openAgents(rule: CompiledRule): Partial<CompiledRule> {
  return rule.agents === undefined ? {} : { agents: ['*'] };
}

function requestOf(declaration: ToolDeclaration, example: Example, resources: readonly Resource[]) {
  return {
    tenant: 'default' as TenantId,
    agent: 'example' as AgentId,
    principal: { kind: 'user', id: 'example' },
    tool: example.tool,
    effects: declaration.effects,
    args: example.args,
    resources,
    labels: [],
    run: { hasPrivate: false, hasUntrusted: false },
    nowMs: 0,
  } as const;
}

function failed(rule: CompiledRule, example: Example, context: CheckContext & { readonly why: string }): FixRequestError {
  const call = `${example.tool} ${JSON.stringify(example.args)}`;
  const is = context.kind === 'match' ? `does not cover it and so does not ${rule.verdict} it` : `covers it and decides ${rule.verdict}`;
  const want = context.kind === 'match' ? 'must match' : 'must not match';
  return new FixRequestError(
    'governance.example-failed',
    `${rule.ref.file}:${context.line}: the example ${call} fails: ${rule.ref.id} (line ${rule.ref.line}) ${want} it, but ${is}${context.why}. Correct the rule or the example.`,
  );
}
