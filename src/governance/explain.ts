import type { Decision, PolicyRequest, RuleRef } from '../contracts/policy.ts';
import { quote } from './policy/quote.ts';
import { makeVisible, mixedScriptWarning } from './visible.ts';

/** A decision with everything a person asks about it. The fields are JSON; `renderExplanation` is the text. */
export interface Explanation {
  readonly verdict: Decision['verdict'];
  readonly call: string;
  readonly rule: string;
  readonly reason: string;
  readonly remedy: string;
  readonly layers: readonly { readonly layer: string; readonly verdict: string; readonly rule: string }[];
  readonly touches: readonly string[];
  /** Destinations and selectors with where they came from. */
  readonly origins: readonly { readonly argument: string; readonly role: string; readonly trust: string; readonly source: string }[];
  /** What looks like something else: mixed alphabets in a host or value. */
  readonly warnings: readonly string[];
  readonly policyHash: string;
}

export function explainDecision(request: PolicyRequest, decision: Decision): Explanation {
  return {
    verdict: decision.verdict,
    call: `${makeVisible(request.tool)} ${makeVisible(cut(JSON.stringify(request.args)))}`,
    rule: placeOf(decision.rule),
    reason: decision.reason,
    remedy: decision.remedy,
    layers: decision.layers.map(({ layer, verdict, rule }) => ({ layer, verdict, rule: placeOf(rule) })),
    touches: request.resources.map(touchOf),
    origins: request.labels.map(({ argument, role, label }) => ({ argument, role, trust: label.trust, source: makeVisible(label.source) })),
    warnings: Object.values(request.args).flatMap((value) => (typeof value === 'string' ? (mixedScriptWarning(cut(value)) ?? []) : [])),
    policyHash: decision.policyHash,
  };
}

export function renderExplanation(explanation: Explanation): string {
  const { verdict, call, rule, reason, remedy, layers, touches, origins, warnings } = explanation;
  const lines = [`${verdict}: ${call}`, `  by      ${rule}`, `  why     ${reason}`];
  if (verdict !== 'allow') lines.push(`  instead ${remedy}`);
  lines.push('  layers');
  for (const layer of layers) lines.push(`    ${layer.layer.padEnd(9)} ${layer.verdict.padEnd(5)} ${layer.rule}`);
  if (touches.length > 0) lines.push('  touches', ...touches.map((touch) => `    ${touch}`));
  if (origins.length > 0) {
    lines.push(
      '  origins',
      ...origins.map(({ argument, role, trust, source }) => `    ${makeVisible(argument)} (${role}): ${trust}, from ${source}`),
    );
  }
  for (const warning of warnings) lines.push(`  warning ${warning}`);
  return `${lines.join('\n')}\n`;
}

/** `policies/platform.yaml:12 (protected-files)`; a built-in rule has no line. */
export function placeOf({ file, line, id }: RuleRef): string {
  return line === 0 ? `${id} (built in)` : `${file}:${line} (${id})`;
}

function touchOf(resource: PolicyRequest['resources'][number]): string {
  if (resource.kind === 'file')
    return `${resource.access} ${quote(resource.root === 'workspace' ? resource.path : `${resource.root}:${resource.path}`)}`;
  if (resource.kind === 'host') return `host ${quote(resource.host)}${resource.port === undefined ? '' : `:${resource.port}`}`;
  if (resource.kind === 'command') return `command ${resource.argv.map(quote).join(' ')}`;
  return `nothing: ${quote(resource.raw)} ${resource.why}`;
}

function cut(text: string): string {
  return text.length > 500 ? `${text.slice(0, 500)}…` : text;
}
