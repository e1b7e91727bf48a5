import type { SandboxFacts } from '../contracts/isolation.ts';
import type { ToolSpec } from '../contracts/model.ts';
import { runsCommands, type ToolSet } from '../contracts/tool.ts';
import type { LoadedAgent } from './load-agent.ts';
import type { OpenTools } from './worker-context.ts';

/** Whether the agent was granted a tool that runs commands: only then a sandbox is looked for. */
export function wantsCommands({ config }: Pick<LoadedAgent, 'config'>, { tools }: ToolSet): boolean {
  return tools.some((tool) => runsCommands(tool) && Object.hasOwn(config.grants ?? {}, tool.name));
}

/**
 * What the model is told of: the granted tools that exist, and those that run commands only where a sandbox is. What is
 * not offered is denied anyway.
 */
export function offeredTools(
  agent: Pick<LoadedAgent, 'config'>,
  { tools }: Pick<OpenTools, 'tools'>,
  sandbox: SandboxFacts | undefined,
): ToolSpec[] {
  const granted = new Set(Object.keys(agent.config.grants ?? {}));
  return tools.tools
    .filter((tool) => granted.has(tool.name) && (sandbox?.available === true || !runsCommands(tool)))
    .map((tool) => ({ name: tool.name, description: tool.summary, parameters: tool.parameters }));
}
