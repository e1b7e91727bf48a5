import fs from 'node:fs/promises';
import type { Clock } from '../contracts/clock.ts';
import type { LoadedAgent } from '../worker/load-agent.ts';
import type { OpenTools } from '../worker/worker-context.ts';
import { isRefused, openRoots } from '../tools/guard.ts';
import { classifyPath, type RootPath } from '../tools/path.ts';
import { resourcesOf } from '../tools/resources.ts';
import { restoreFile } from '../tools/restore-file.ts';
import { targetHash } from '../tools/target-hash.ts';
import { coreTools, openToolSet } from '../tools/tool-set.ts';

export interface AgentToolsOptions {
  readonly clock: Clock;
  /** Folders that no root may contain: the home, the user's keys. */
  readonly protectedDirs: readonly string[];
}

/** Opens an agent's roots and the core tools on them. All tools are open: what an agent was not granted is denied by policy, with a reason. */
export async function openAgentTools(
  agent: Pick<LoadedAgent, 'id' | 'dir' | 'config' | 'workspace' | 'roots'>,
  options: AgentToolsOptions,
): Promise<OpenTools> {
  await fs.mkdir(agent.workspace, { recursive: true, mode: 0o755 });
  const specs = [
    { name: 'workspace', dir: agent.workspace, access: 'write' as const },
    { name: 'agent', dir: agent.dir, access: 'write' as const, memory: agent.config.memory ?? [] },
    ...agent.roots.map(({ name, dir }) => ({ name, dir, access: 'read' as const })),
  ];
  const roots = await openRoots(specs, { protectedDirs: options.protectedDirs });
  const at = (target: string): RootPath => {
    const place = classifyPath(target, roots.names);
    if ('outside' in place) throw new TypeError(`the recorded target ${JSON.stringify(target)} ${place.why}`);
    return place;
  };
  return {
    tools: openToolSet({ roots, clock: options.clock, names: coreTools.map((tool) => tool.name) }),
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
