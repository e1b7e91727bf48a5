import type { AgentId } from '../../contracts/ids.ts';
import type { CompiledRule, PolicySnapshot } from '../../governance/policy-snapshot.ts';
import { currentPolicy, type PolicyContext } from './policy-context.ts';

export interface ShownRule {
  readonly verdict: string;
  readonly tools: readonly string[];
  readonly id: string;
  readonly line: number;
  /** As written: `paths: docs/**`. */
  readonly bounds: readonly string[];
  readonly why?: string;
}

export interface ShownPolicy {
  readonly agent: AgentId;
  readonly policyHash: string;
  readonly flow: 'labels' | 'strict';
  readonly trusted: readonly string[];
  readonly layers: readonly { readonly layer: string; readonly file: string; readonly rules: readonly ShownRule[] }[];
}

/** `policy show`: the three layers that an agent's calls pass, as they are compiled. */
export async function showPolicy(context: PolicyContext, agent: AgentId): Promise<ShownPolicy> {
  const snapshot: PolicySnapshot = await currentPolicy(context, agent);
  return {
    agent,
    policyHash: snapshot.hash,
    flow: snapshot.strictFlow === undefined ? 'labels' : 'strict',
    trusted: snapshot.trusted,
    layers: snapshot.layers.map(({ layer, file, rules }) => ({ layer, file, rules: rules.map(showRule) })),
  };
}

export function renderPolicy(shown: ShownPolicy): string {
  const lines = [`policy of agent ${shown.agent}, ${shown.policyHash.slice(0, 12)}; a call needs all three layers`, `flow: ${shown.flow}`];
  if (shown.trusted.length > 0) lines.push(`trusted: ${shown.trusted.join(', ')}`);
  for (const { layer, file, rules } of shown.layers) {
    lines.push('', `${layer}  ${file}`);
    for (const { verdict, tools, id, line, bounds, why } of rules) {
      lines.push(`  ${verdict.padEnd(5)} ${tools.join(' ')}  (${id}, line ${line})${why === undefined ? '' : `  ${why}`}`);
      for (const bound of bounds) lines.push(`          ${bound}`);
    }
    lines.push('  deny  everything else');
  }
  return `${lines.join('\n')}\n`;
}

function showRule(rule: CompiledRule): ShownRule {
  const { verdict, tools, ref, why } = rule;
  return { verdict, tools, id: ref.id, line: ref.line, bounds: boundsOf(rule), ...(why === undefined ? {} : { why }) };
}

function boundsOf({ paths, hosts, methods, args, agents, effects }: CompiledRule): readonly string[] {
  const lists: (readonly [string, readonly string[] | undefined])[] = [
    ['paths', paths?.map(({ root, glob }) => (root === 'workspace' ? glob.source : `${root}:${glob.source}`))],
    ['hosts', hosts?.map(({ source }) => source)],
    ['methods', methods],
    ['agents', agents],
    ['effects', effects],
    ...(args ?? []).map(([name, patterns]) => [`args.${name}`, patterns.map(({ source }) => source)] as const),
  ];
  return lists.flatMap(([name, values]) => (values === undefined ? [] : [`${name}: ${values.join(', ')}`]));
}
