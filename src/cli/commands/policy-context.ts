import type { AgentId, TenantId } from '../../contracts/ids.ts';
import type { SandboxFacts } from '../../contracts/isolation.ts';
import type { JsonObject } from '../../contracts/json.ts';
import type { PolicySource, Principal, Resource } from '../../contracts/policy.ts';
import type { ToolDeclaration } from '../../contracts/tool.ts';
import type { RecordedDecision } from '../../governance/simulate.ts';
import { compilePolicy, type PolicySnapshot } from '../../governance/policy-snapshot.ts';

export type ResourcesOf = (tool: ToolDeclaration, args: JsonObject) => readonly Resource[];

/** What the policy commands need of the world. */
export interface PolicyContext {
  readonly tenant: TenantId;
  readonly principal: Principal;
  /** Every tool there is. */
  readonly tools: readonly ToolDeclaration[];
  readonly now: () => number;
  /** Platform and tenant policy as they are on the disk. */
  readonly policyFiles: () => Promise<readonly PolicySource[]>;
  readonly agentIds: () => Promise<readonly AgentId[]>;
  readonly agentFile: (agent: AgentId) => Promise<PolicySource>;
  /** How this agent's tools read their arguments: on its own roots. */
  readonly resourcesOf: (agent: AgentId) => Promise<ResourcesOf>;
  /** Where a run of this agent would run its commands; undefined when it was granted none. */
  readonly sandboxOf: (agent: AgentId) => Promise<SandboxFacts | undefined>;
  /** Decided calls of recorded runs, newest run first. */
  readonly recorded: (filter: RecordedFilter) => AsyncIterable<RecordedDecision>;
}

export interface RecordedFilter {
  readonly run?: string;
  readonly agent?: AgentId;
}

/** The policy of one agent as it is now, with its examples checked. @throws FixRequestError with file and line */
export async function currentPolicy(context: PolicyContext, agent: AgentId): Promise<PolicySnapshot> {
  return compilePolicy([...(await context.policyFiles()), await context.agentFile(agent)], {
    tools: context.tools,
    resourcesOf: await context.resourcesOf(agent),
  });
}
