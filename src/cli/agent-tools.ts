import fs from 'node:fs';
import type { Clock } from '../contracts/clock.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import type { OpenTools, ToolFacts } from '../worker/worker-context.ts';
import { isRefused, openRoots } from '../tools/guard.ts';
import { closedRoots } from '../tools/closed-roots.ts';
import { classifyPath, type RootName, type RootPath } from '../tools/path.ts';
import type { RootMemory } from '../tools/root-memory.ts';
import { resourcesOf } from '../tools/resources.ts';
import { restoreFile } from '../tools/restore-file.ts';
import { targetHash } from '../tools/target-hash.ts';
import type { HttpDoor } from '../broker/client.ts';
import type { CommandDoor } from '../tools/command-door.ts';
import type { Tool, ToolSet } from '../contracts/tool.ts';
import type { McpOptions, McpTools } from '../tools/mcp.ts';
import { coreTools, openToolSet } from '../tools/tool-set.ts';

export interface AgentToolsOptions {
  readonly clock: Clock;
  /** Folders that no root may contain: the home, the user's keys. */
  readonly protectedDirs: readonly string[];
  readonly memory?: RootMemory;
  /** Hides secrets in what the tools show of a file. */
  readonly hide: (text: string) => string;
  /** Where commands run; absent: nowhere. */
  readonly commands?: CommandDoor;
  /** The broker's edge for http.fetch; absent: nothing is reachable. */
  readonly http?: HttpDoor;
  /** Starts an MCP server of the agent in a sandbox; absent: they do not start. */
  readonly mcp?: { readonly start: McpOptions['start']; readonly isResumed: boolean };
}

/** Opens an agent's roots and the core tools on them. All tools are open: what an agent was not granted is denied by policy, with a reason. */
export async function openAgentTools(agent: AgentRoots, options: AgentToolsOptions): Promise<OpenTools> {
  if (!fs.existsSync(agent.workspace)) fs.mkdirSync(agent.workspace, { recursive: true, mode: 0o755 });
  const roots = await openRoots(rootNames(agent), options);
  const names = coreTools.map((tool) => tool.name);
  const at = (target: string): RootPath => {
    const place = classifyPath(target, roots.names);
    if ('outside' in place) throw new TypeError(`the recorded target ${JSON.stringify(target)} ${place.why}`);
    return place;
  };
  const mcp = await openAgentMcp(agent, options.mcp);
  return {
    tools: withMore(openToolSet({ roots, ...options, names }), mcp.tools),
    resourcesOf: (tool, args) => resourcesOf(tool, args, roots.names),
    targetHash: async (target) => targetHash(roots, target),
    readTarget: async (target) => {
      const content = roots.read(at(target));
      return isRefused(content) ? undefined : Buffer.from(content.bytes).toString('utf8');
    },
    restoreTarget: async (target, { beforeBytes, expect }) =>
      (await restoreFile(roots, { target, expect, ...(beforeBytes === undefined ? {} : { beforeBytes }) }))?.text,
    [Symbol.asyncDispose]: async () => {
      await mcp[Symbol.asyncDispose]();
      await roots[Symbol.asyncDispose]();
    },
  };
}

/** The same tools with nothing behind them: no folder is opened or made. */
export async function describeAgentTools(agent: AgentRoots, clock: Clock): Promise<ToolFacts> {
  const roots = closedRoots(rootNames(agent));
  const names = coreTools.map((tool) => tool.name);
  const tools = withMore(openToolSet({ roots, clock, names, hide: String }), (await openAgentMcp(agent, undefined)).tools);
  return { tools, resourcesOf: (tool, args) => resourcesOf(tool, args, roots.names) };
}

/** The pinned tools of the agent's MCP servers; nothing starts before a call. */
async function openAgentMcp({ config, mcp }: AgentRoots, how: AgentToolsOptions['mcp']): Promise<McpTools> {
  if (config.mcp === undefined) return { tools: [], [Symbol.asyncDispose]: async () => {} };
  const { openMcpTools } = await import('../tools/mcp.ts');
  const start: McpOptions['start'] = how?.start ?? ((name) => () => Promise.reject(new Error(`the server ${name} is not started here`)));
  return openMcpTools({ servers: config.mcp ?? {}, pins: mcp, start, isResumed: how?.isResumed === true });
}

function withMore(core: ToolSet, more: readonly Tool[]): ToolSet {
  return more.length === 0
    ? core
    : { tools: [...core.tools, ...more], get: (name) => core.get(name) ?? more.find((tool) => tool.name === name) };
}

function rootNames(agent: AgentRoots): RootName[] {
  return [
    { name: 'workspace', dir: agent.workspace, access: 'write' },
    { name: 'agent', dir: agent.dir, access: 'write', memory: agent.config.memory ?? [] },
    ...agent.roots.map(({ name, dir }) => ({ name, dir, access: 'read' as const })),
  ];
}
