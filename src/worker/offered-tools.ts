import type { ToolSpec } from '../contracts/model.ts';
import type { LoadedAgent } from './load-agent.ts';
import type { OpenTools } from './worker-context.ts';

/** What the model is told of: the granted tools that exist. What is not granted is denied anyway. */
export function offeredTools(agent: Pick<LoadedAgent, 'config'>, { tools }: Pick<OpenTools, 'tools'>): ToolSpec[] {
  const granted = new Set(Object.keys(agent.config.grants ?? {}));
  return tools.tools
    .filter((tool) => granted.has(tool.name))
    .map((tool) => ({ name: tool.name, description: tool.summary, parameters: tool.parameters }));
}
