import path from 'node:path';
import { agentConfig } from '../contracts/config.ts';
import { mcpPins } from '../contracts/mcp-pins.ts';
import type { JournalEntry } from '../contracts/journal.ts';
import type { LoadedAgent } from './load-agent.ts';
import type { WorkerContext } from './worker-context.ts';

/** What a run's tools depend on. */
export type AgentRoots = Pick<LoadedAgent, 'id' | 'dir' | 'config' | 'workspace' | 'roots' | 'mcp'>;

/** The agent as it was when the run was accepted: its folder may have changed since, or be gone. */
export async function agentOfRecord(
  ctx: Pick<WorkerContext, 'home' | 'objects'>,
  { item, pinned }: Extract<JournalEntry, { kind: 'accepted' }>,
): Promise<AgentRoots> {
  const { parse } = await import('yaml');
  const textOf = async (wanted: string): Promise<string | undefined> => {
    const file = pinned.files.find(({ name }) => name === wanted);
    return file === undefined ? undefined : Buffer.from(await ctx.objects(item.tenant).get(file.sha256)).toString('utf8');
  };
  const config = agentConfig.parse(parse((await textOf('agent.yaml')) ?? 'version: 1'));
  const pins = await textOf('mcp.json');
  const at = (folder: string): string => path.resolve(ctx.home.tenantRoot(item.tenant), folder);
  return {
    id: item.agent,
    dir: ctx.home.agentDir(item.tenant, item.agent),
    config,
    workspace: at(item.workspace ?? config.workspace ?? 'workspace'),
    roots: Object.entries(config.roots ?? {}).map(([name, folder]) => ({ name, dir: at(folder) })),
    ...(pins === undefined ? {} : { mcp: mcpPins.parse(JSON.parse(pins)) }),
  };
}
