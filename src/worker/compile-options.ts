import type { PolicySource } from '../contracts/policy.ts';
import { compilePolicy, type CompileOptions, type PolicySnapshot } from '../governance/policy-snapshot.ts';
import type { LoadedAgent } from './load-agent.ts';
import type { ToolFacts, WorkerContext } from './worker-context.ts';

/** With the tools there are, a policy's examples are checked and unknown tools are denied: every run compiles so. */
export function compileOptions(tools: ToolFacts): CompileOptions {
  return { tools: tools.tools.tools, resourcesOf: tools.resourcesOf };
}

/** Compiles what was just read, once for the same texts: the tools follow from the agent's file, its roots and its pins. */
export function compileOnce(
  ctx: Pick<WorkerContext, 'memo'>,
  { sources, agent, tools }: { readonly sources: readonly PolicySource[]; readonly agent: LoadedAgent; readonly tools: ToolFacts },
): PolicySnapshot {
  const { workspace, roots, mcp } = agent;
  const key = JSON.stringify([sources, workspace, roots, mcp]);
  return ctx.memo.of(compilePolicy, key, () => compilePolicy(sources, { ...compileOptions(tools), agent: agent.parsed }));
}
