import { count } from '../describe-totals.ts';
import { ClawholdError } from '../../contracts/errors.ts';
import type { AgentId } from '../../contracts/ids.ts';
import { looserRules, refuseLooserTenant } from '../../governance/looser-rules.ts';
import { compilePolicy, type PolicySnapshot } from '../../governance/policy-snapshot.ts';
import type { PolicyContext, ResourcesOf } from './policy-context.ts';

export interface PolicyCheck {
  readonly isGood: boolean;
  readonly agents: readonly AgentId[];
  /** What refuses a start, with file and line. */
  readonly problems: readonly string[];
  /** What works otherwise than it looks: grants that a higher layer never allows. */
  readonly warnings: readonly string[];
}

/** `policy check`: compiles the policy of every agent with all examples, and looks for grants that can never take effect. */
export async function checkPolicy(context: PolicyContext): Promise<PolicyCheck> {
  const files = await context.policyFiles();
  const agents = await context.agentIds();
  const problems = new Set<string>();
  const warnings = new Set<string>();
  const check = (sources: Parameters<typeof compilePolicy>[0], resourcesOf?: ResourcesOf): void => {
    try {
      const snapshot = compilePolicy(sources, { tools: context.tools, ...(resourcesOf === undefined ? {} : { resourcesOf }) });
      refuseLooserTenant(snapshot);
      for (const warning of deadGrants(snapshot)) warnings.add(warning);
      for (const { message } of looserRules(snapshot)) warnings.add(message);
    } catch (error) {
      if (!(error instanceof ClawholdError)) throw error;
      problems.add(error.message);
    }
  };
  check(files);
  if (problems.size === 0) for (const agent of agents) check([...files, await context.agentFile(agent)], await context.resourcesOf(agent));
  return { isGood: problems.size === 0, agents, problems: [...problems], warnings: [...warnings] };
}

export function renderCheck({ isGood, agents, problems, warnings }: PolicyCheck): string {
  const lines = [...problems, ...warnings.map((warning) => `warning: ${warning}`)];
  if (isGood) lines.push(`The policy of ${count(agents.length, 'agent')} compiles and all its examples hold.`);
  return `${lines.join('\n')}\n`;
}

/** A lower layer that allows what a higher one allows to no call: it only narrows, so the rule does nothing. */
function deadGrants({ layers, tools }: PolicySnapshot): readonly string[] {
  return layers.flatMap((layer, index) =>
    layer.rules
      .filter((rule) => rule.verdict !== 'deny')
      .flatMap((rule) =>
        rule.tools.flatMap((tool) => {
          if (tool.includes('*')) return [];
          const place = `${rule.ref.file}:${rule.ref.line}: ${rule.ref.id}`;
          if (tools !== undefined && !tools.has(tool)) return [`${place} names ${tool}, a tool that is not here.`];
          const higher = layers.slice(0, index).find(({ byTool }) => !byTool.get(tool)?.some(({ verdict }) => verdict !== 'deny'));
          return higher === undefined ? [] : [`${place} gives ${tool}, but ${higher.file} never allows it, so it stays denied.`];
        }),
      ),
  );
}
