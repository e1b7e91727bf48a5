import fs from 'node:fs/promises';
import type { Clock } from '../contracts/clock.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import type { OpenTools, ToolFacts } from '../worker/worker-context.ts';
import { isRefused, openRoots } from '../tools/guard.ts';
import { closedRoots } from '../tools/closed-roots.ts';
import { classifyPath, type RootName, type RootPath } from '../tools/path.ts';
import { resourcesOf } from '../tools/resources.ts';
import { restoreFile } from '../tools/restore-file.ts';
import { targetHash } from '../tools/target-hash.ts';
import type { HttpDoor } from '../broker/client.ts';
import type { CommandDoor } from '../tools/command-door.ts';
import { coreTools, openToolSet } from '../tools/tool-set.ts';

export interface AgentToolsOptions {
  readonly clock: Clock;
  /** Folders that no root may contain: the home, the user's keys. */
  readonly protectedDirs: readonly string[];
  /** Hides secrets in what the tools show of a file. */
  readonly hide: (text: string) => string;
  /** Where commands run; absent: nowhere. */
  readonly commands?: CommandDoor;
  /** The broker's edge for http.fetch; absent: nothing is reachable. */
  readonly http?: HttpDoor;
}

/** Opens an agent's roots and the core tools on them. All tools are open: what an agent was not granted is denied by policy, with a reason. */
export async function openAgentTools(agent: AgentRoots, options: AgentToolsOptions): Promise<OpenTools> {
  await fs.mkdir(agent.workspace, { recursive: true, mode: 0o755 });
  const roots = await openRoots(rootNames(agent), { protectedDirs: options.protectedDirs });
  const names = coreTools.map((tool) => tool.name);
  const at = (target: string): RootPath => {
    const place = classifyPath(target, roots.names);
    if ('outside' in place) throw new TypeError(`the recorded target ${JSON.stringify(target)} ${place.why}`);
    return place;
  };
  return {
    tools: openToolSet({ roots, ...options, names }),
    resourcesOf: (tool, args) => resourcesOf(tool, args, roots.names),
    targetHash: async (target) => targetHash(roots, target),
    readTarget: async (target) => {
      const content = roots.read(at(target));
      return isRefused(content) ? undefined : Buffer.from(content.bytes).toString('utf8');
    },
    restoreTarget: async (target, { beforeBytes, expect }) =>
      (await restoreFile(roots, { target, expect, ...(beforeBytes === undefined ? {} : { beforeBytes }) }))?.text,
    [Symbol.asyncDispose]: async () => await roots[Symbol.asyncDispose](),
  };
}

/** The same tools with nothing behind them: no folder is opened or made. */
export function describeAgentTools(agent: AgentRoots, clock: Clock): ToolFacts {
  const roots = closedRoots(rootNames(agent));
  const names = coreTools.map((tool) => tool.name);
  return { tools: openToolSet({ roots, clock, names, hide: String }), resourcesOf: (tool, args) => resourcesOf(tool, args, roots.names) };
}

function rootNames(agent: AgentRoots): RootName[] {
  return [
    { name: 'workspace', dir: agent.workspace, access: 'write' },
    { name: 'agent', dir: agent.dir, access: 'write', memory: agent.config.memory ?? [] },
    ...agent.roots.map(({ name, dir }) => ({ name, dir, access: 'read' as const })),
  ];
}
