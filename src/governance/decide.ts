import { reasonOf } from '../contracts/errors.ts';
import type { Decision, LayerVerdict, PolicyRequest, RuleRef, Verdict } from '../contracts/policy.ts';
import { boundsHold, coversTool, factsOf, type RequestFacts } from './policy/covers.ts';
import type { CompiledLayer, CompiledRule } from './policy/compiled.ts';
import { flowQuestion } from './policy/flow.ts';
import { brokenInvariant } from './policy/invariants.ts';
import { layerReason, layerRemedy } from './policy/sentences.ts';
import type { PolicySnapshot } from './policy-snapshot.ts';

interface LayerAnswer {
  readonly verdict: LayerVerdict;
  readonly layer: CompiledLayer;
  readonly rule: CompiledRule | undefined;
}

const severity: Readonly<Record<Verdict, number>> = { allow: 0, ask: 1, deny: 2 };

/**
 * The one place where a tool call is allowed, denied or sent to a human. Pure: no I/O, no clock, no state.
 *
 * Contract:
 * - an invariant that is broken denies, whatever the layers say;
 * - in a layer deny beats ask, ask beats allow, and what nothing allows is denied;
 * - the strictest layer wins, so a lower layer only narrows;
 * - a destination or selector from untrusted text turns an allowed call with effects into a question;
 * - a failure to evaluate denies with the failure as its reason.
 */
export function decide(request: PolicyRequest, snapshot: PolicySnapshot): Decision {
  try {
    return evaluate(request, snapshot);
  } catch (error) {
    const rule: RuleRef = { layer: 'invariant', id: 'evaluation-error', file: 'builtin:invariants', line: 0 };
    return {
      verdict: 'deny',
      rule,
      reason: `The policy could not be evaluated: ${reasonOf(error)}.`,
      remedy: 'Nothing is allowed until the policy can be evaluated; run `clawhold policy check`.',
      layers: [{ layer: 'invariant', verdict: 'deny', rule }],
      policyHash: snapshot.hash,
    };
  }
}

function evaluate(request: PolicyRequest, snapshot: PolicySnapshot): Decision {
  const facts = factsOf(request);
  const layers: LayerVerdict[] = [];
  const refusal = brokenInvariant(facts, snapshot);
  if (refusal !== undefined) layers.push(builtin('invariant', refusal.id, 'deny'));
  let strictest: Verdict = 'allow';
  const answers: LayerAnswer[] = [];
  for (const layer of snapshot.layers) {
    const answer = answerOf(layer, facts);
    answers.push(answer);
    layers.push(answer.verdict);
    if (severity[answer.verdict.verdict] > severity[strictest]) strictest = answer.verdict.verdict;
  }
  if (refusal !== undefined) return decision(layers, refusal, snapshot);
  if (strictest === 'deny') return decision(layers, layerSentences(answers, strictest, facts), snapshot);
  const question = flowQuestion(facts, coveringGrants(snapshot, facts), snapshot);
  if (question !== undefined) layers.push(builtin('flow', question.id, 'ask'));
  if (strictest === 'ask' || question === undefined) return decision(layers, layerSentences(answers, strictest, facts), snapshot);
  return decision(layers, question, snapshot);
}

function answerOf(layer: CompiledLayer, facts: RequestFacts): LayerAnswer {
  let best: CompiledRule | undefined;
  for (const rule of rulesFor(layer, facts.request.tool)) {
    if (best !== undefined && severity[rule.verdict] <= severity[best.verdict]) continue;
    if (!boundsHold(rule, facts)) continue;
    best = rule;
    if (rule.verdict === 'deny') break;
  }
  const rule = best?.ref ?? { layer: layer.layer, id: 'default', file: layer.file, line: layer.line };
  return { layer, rule: best, verdict: { layer: layer.layer, verdict: best?.verdict ?? 'deny', rule } };
}

function rulesFor(layer: CompiledLayer, tool: string): readonly CompiledRule[] {
  return layer.byTool.get(tool) ?? layer.rules.filter((rule) => coversTool(rule, tool));
}

function coveringGrants(snapshot: PolicySnapshot, facts: RequestFacts): readonly CompiledRule[] {
  const agent = snapshot.layers.find((layer) => layer.layer === 'agent');
  if (agent === undefined || facts.request.labels.every((label) => label.label.trust === 'trusted')) return [];
  return rulesFor(agent, facts.request.tool).filter((rule) => rule.verdict === 'allow' && boundsHold(rule, facts));
}

interface Sentences {
  readonly reason: string;
  readonly remedy: string;
}

/** The reason of the first layer with the verdict; the remedies of all of them, because each must change. */
function layerSentences(answers: readonly LayerAnswer[], verdict: Verdict, facts: RequestFacts): Sentences {
  if (verdict === 'allow' && answers[0] !== undefined)
    return { reason: layerReason(answers[0], facts), remedy: 'Nothing needs to change.' };
  const deciding = answers.filter((answer) => answer.verdict.verdict === verdict);
  const first = deciding[0];
  if (first === undefined) throw new Error('no layer gave the verdict');
  return { reason: layerReason(first, facts), remedy: deciding.map((answer) => layerRemedy(answer, facts)).join(' ') };
}

function decision(layers: readonly LayerVerdict[], { reason, remedy }: Sentences, snapshot: PolicySnapshot): Decision {
  let first = layers[0];
  for (const entry of layers) if (first === undefined || severity[entry.verdict] > severity[first.verdict]) first = entry;
  if (first === undefined) throw new Error('the policy has no layers');
  return { verdict: first.verdict, rule: first.rule, reason, remedy, layers, policyHash: snapshot.hash };
}

function builtin(layer: 'invariant' | 'flow', id: string, verdict: Verdict): LayerVerdict {
  return { layer, verdict, rule: { layer, id, file: layer === 'flow' ? 'builtin:flow' : 'builtin:invariants', line: 0 } };
}
