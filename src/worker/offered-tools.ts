import { reachesClass, type SandboxFacts } from '../contracts/isolation.ts';
import type { ToolSpec } from '../contracts/model.ts';
import { needsSandbox, type ToolDeclaration, type ToolSet } from '../contracts/tool.ts';
import type { LoadedAgent } from './load-agent.ts';
import type { OpenTools } from './worker-context.ts';

/** Whether the agent was granted a tool that runs commands or demands a class: only then a sandbox is looked for. */
export function wantsCommands({ config }: Pick<LoadedAgent, 'config'>, { tools }: ToolSet): boolean {
  return tools.some((tool) => needsSandbox(tool) && Object.hasOwn(config.grants ?? {}, tool.name));
}

/**
 * What the model is told of: the granted tools that exist, and those that need a sandbox only where it is. What is
 * not offered is denied anyway.
 */
export function offeredTools(
  agent: Pick<LoadedAgent, 'config'>,
  { tools }: Pick<OpenTools, 'tools'>,
  sandbox: SandboxFacts | undefined,
): ToolSpec[] {
  const granted = new Set(Object.keys(agent.config.grants ?? {}));
  return tools.tools
    .filter((tool) => granted.has(tool.name) && hasItsSandbox(tool, sandbox))
    .map((tool) => ({ name: tool.name, description: tool.summary, parameters: tool.parameters }));
}

function hasItsSandbox(tool: Pick<ToolDeclaration, 'args' | 'minimumClass'>, sandbox: SandboxFacts | undefined): boolean {
  if (!needsSandbox(tool)) return true;
  return sandbox?.available === true && (tool.minimumClass === undefined || reachesClass(sandbox.isolation, tool.minimumClass));
}
