import { FixRequestError } from '../contracts/errors.ts';
import type { RuleRef } from '../contracts/policy.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';
import { boundsCommands } from './policy/commands-hold.ts';
import type { CompiledRule } from './policy/compiled.ts';
import { ruleCovers, type EffectsOf } from './policy/rule-covers.ts';
import { valuesOf, witnessOf } from './policy/rule-values.ts';

/** A value of a lower layer that a higher one forbids altogether. */
export interface Looser {
  readonly rule: RuleRef;
  /** What it gives: `allow: mail.send`, `paths: secrets/**`. */
  readonly value: string;
  /** The rule or line that stands above it. */
  readonly higher: RuleRef;
  /** A call that the lower rule would allow and the higher one denies. */
  readonly witness: string;
  /** One sentence, with both lines. */
  readonly message: string;
}

/**
 * What in the tenant's file and the agent's grants tries to give what a layer above denies.
 *
 * A rule or grant is looser when one value of it (a tool, a path, a host, a method, a command, an argument's value, an
 * agent), together with its other bounds, lies wholly within one deny of a layer above: then it can never take effect and
 * only says that its writer wanted otherwise. A rule that is wider than the deny, or that meets it in part, is not: it
 * gives what is left. A call that no rule above allows is not denied by a rule; it stays denied, and `policy check` warns.
 */
export function looserRules(snapshot: Pick<PolicySnapshot, 'layers' | 'effects'>): readonly Looser[] {
  return (['tenant', 'agent'] as const).flatMap((layer) => looserIn(snapshot, layer));
}

function looserIn({ layers, effects }: Pick<PolicySnapshot, 'layers' | 'effects'>, name: 'tenant' | 'agent'): readonly Looser[] {
  const effectsOf: EffectsOf = (tool) => effects?.get(tool);
  return layers.flatMap((layer, index) => {
    if (layer.layer !== name) return [];
    const denies = layers.slice(0, index).flatMap(({ rules }) => rules.filter(({ verdict }) => verdict === 'deny'));
    if (denies.length === 0) return [];
    return layer.rules.filter(isGiving).flatMap((rule) => looserOf(rule, denies, effectsOf));
  });
}

/** `allow: "*"` without a bound leaves all to the layers above: it is how a file says that it narrows nothing. */
function isGiving(rule: CompiledRule): boolean {
  const { verdict, tools, agents, effects, paths, hosts, methods, args } = rule;
  const isBounded = [agents, effects, paths, hosts, methods, args].some((bound) => bound !== undefined) || boundsCommands(rule);
  return verdict !== 'deny' && (verdict === 'ask' || isBounded || !tools.includes('*') || tools.length > 1);
}

/**
 * Refuses a tenant's file that loosens the platform's policy. An agent's grants are not refused for it: a deny that was
 * written in a hurry must stop its calls and nothing else.
 * @throws FixRequestError that names all such places, with both lines of each.
 */
export function refuseLooserTenant(snapshot: PolicySnapshot): void {
  const problems = [...looserIn(snapshot, 'tenant'), ...looserMinimum(snapshot)];
  if (problems.length === 0) return;
  throw new FixRequestError('governance.looser-layer', problems.map(({ message }) => message).join('\n'));
}

/** Of one rule: the whole of it, or else each value that is covered by itself. */
function looserOf(rule: CompiledRule, denies: readonly CompiledRule[], effectsOf: EffectsOf): readonly Looser[] {
  const coveredBy = (one: CompiledRule): CompiledRule | undefined => denies.find((deny) => ruleCovers(deny, one, effectsOf));
  const whole = coveredBy(rule);
  if (whole !== undefined) return [looser(rule, `${rule.verdict}: ${rule.tools.join(', ')}`, { one: rule, deny: whole })];
  return valuesOf(rule).flatMap(([value, one]) => {
    const deny = coveredBy(one);
    return deny === undefined ? [] : [looser(rule, value, { one, deny })];
  });
}

function looser(rule: CompiledRule, value: string, { one, deny }: { readonly one: CompiledRule; readonly deny: CompiledRule }): Looser {
  const witness = witnessOf(one);
  const why = deny.why === undefined ? '' : ` (${deny.why.replace(/\.$/, '')})`;
  return {
    rule: rule.ref,
    value,
    higher: deny.ref,
    witness,
    message: `${place(rule.ref)}: ${rule.ref.id} gives "${value}", which ${place(deny.ref)} (${deny.ref.id}) denies${why}, for example ${witness}; a lower layer only narrows. Remove it, or have the higher rule changed.`,
  };
}

function looserMinimum({ sandbox }: PolicySnapshot): readonly Looser[] {
  const { weakened } = sandbox;
  if (weakened === undefined) return [];
  const { rule, value, higher } = weakened;
  const witness = `a command in a sandbox of the class ${value}`;
  return [
    {
      ...weakened,
      witness,
      message: `${place(rule)}: sandbox.minimum: ${value} cannot be used, because ${place(higher)} demands a stronger one and a lower layer only narrows. Remove it.`,
    },
  ];
}

function place({ file, line }: RuleRef): string {
  return `${file}:${line}`;
}
