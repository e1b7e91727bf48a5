import { parseAgentId, type AgentId } from '../../contracts/ids.ts';
import type { PolicySource } from '../../contracts/policy.ts';
import { placeOf } from '../../governance/explain.ts';
import { compilePolicy, type PolicySnapshot } from '../../governance/policy-snapshot.ts';
import { simulatePolicy, type RecordedDecision, type Simulation } from '../../governance/simulate.ts';
import { makeVisible } from '../../governance/visible.ts';
import type { PolicyContext, RecordedFilter } from './policy-context.ts';

/** `policy simulate`: decides recorded calls again with a proposed file in the place of the layer's current one. */
export async function simulateProposal(context: PolicyContext, proposed: PolicySource, filter: RecordedFilter): Promise<Simulation> {
  const files = [...(await context.policyFiles()).filter(({ layer }) => layer !== proposed.layer), proposed];
  const policies = new Map<AgentId, PolicySnapshot>();
  const simulation = { calls: 0, changed: [] as Simulation['changed'][number][] };
  for await (const call of context.recorded(filter)) {
    const agent = parseAgentId(call.request.agent);
    const policy =
      policies.get(agent) ??
      compilePolicy(await sourcesFor(context, files, agent), { tools: context.tools, resourcesOf: await context.resourcesOf(agent) });
    policies.set(agent, policy);
    const { calls, changed } = await simulatePolicy(one(call), policy);
    simulation.calls += calls;
    simulation.changed.push(...changed);
  }
  return simulation;
}

export function renderSimulation({ calls, changed }: Simulation): string {
  const lines = changed.map(({ run, callId, request, before, after, proposed }) => {
    const args = makeVisible(JSON.stringify(request.args).slice(0, 160));
    return `${run} ${callId}  ${before} -> ${after}  ${request.tool} ${args}\n    ${placeOf(proposed.rule)}: ${proposed.reason}`;
  });
  lines.push(`${changed.length} of ${calls} recorded calls would be decided otherwise.`);
  return `${lines.join('\n')}\n`;
}

async function sourcesFor(context: PolicyContext, files: readonly PolicySource[], agent: AgentId): Promise<readonly PolicySource[]> {
  return files.some(({ layer }) => layer === 'agent') ? files : [...files, await context.agentFile(agent)];
}

async function* one(call: RecordedDecision): AsyncGenerator<RecordedDecision> {
  yield call;
}
