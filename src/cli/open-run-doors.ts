import path from 'node:path';
import type { BoundaryClass } from '../contracts/isolation.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import type { RunNames, RunSandbox } from '../worker/worker-context.ts';
import type { AgentToolsOptions } from './agent-tools.ts';
import type { App } from './app.ts';
import type { RunCredentials } from './open-broker.ts';
import { openRunSandbox } from './open-run-sandbox.ts';
import type { SandboxSettings, Sandboxes } from './sandboxes.ts';

/** What an agent's tools do with the world outside its roots. */
export type RunDoors = Pick<AgentToolsOptions, 'commands' | 'http' | 'mcp'>;

export interface RunDoorsOptions {
  readonly names: RunNames;
  readonly app: Pick<App, 'secrets' | 'broker' | 'ledger' | 'tenant' | 'config'>;
  readonly runtimeDir: string;
  readonly sandboxes: (image: SandboxSettings['image']) => Promise<Sandboxes>;
  readonly protectedDirs: readonly string[];
  /** The folder that holds the home. */
  readonly root: string;
}

/** Everything that leads out of one run. Nothing is opened before it is used, and what is not granted is not even loaded. */
export async function openRunDoors(
  agent: AgentRoots,
  options: RunDoorsOptions,
): Promise<{ readonly sandbox: RunSandbox; readonly doors: RunDoors }> {
  const { config } = agent;
  const credentials = openRunCredentials(options);
  const hasEdges = config.grants?.['http.fetch'] !== undefined || (config.sandbox?.network ?? 'none') !== 'none';
  const edges = hasEdges ? (await import('./open-run-egress.ts')).openRunEdges(agent, { ...options, credentials: credentials.open }) : {};
  const shell = openRunSandbox(agent, { ...options, label: options.names.run, egress: edges.egress });
  let minimum: BoundaryClass = config.sandbox?.minimum ?? 'namespace';
  const doors: RunDoors = {
    commands: shell,
    ...(edges.http === undefined ? {} : { http: edges.http }),
    ...(config.mcp === undefined
      ? {}
      : { mcp: { isResumed: options.names.isResumed === true, start: await starter(agent, options, () => minimum) } }),
  };
  const close = async (): Promise<void> => {
    await credentials.letGo();
    await shell[Symbol.asyncDispose]();
  };
  return { sandbox: { ...shell, demand: (wanted) => void (minimum = wanted), [Symbol.asyncDispose]: close }, doors };
}

/** Opened with the first edge of the run; what was opened is let go with the run. */
function openRunCredentials({ app, names }: Pick<RunDoorsOptions, 'app' | 'names'>): {
  readonly open: () => Promise<RunCredentials>;
  readonly letGo: () => Promise<void>;
} {
  let opened: Promise<RunCredentials> | undefined;
  return {
    open: async () => await (opened ??= (async () => (await app.broker()).forRun(names))()),
    letGo: async () => (await opened?.catch(() => undefined))?.letGo(), // silent-ok: whoever asked has the reason
  };
}

/** How the MCP servers of the agent are started, for a run and for a person who looks at one. */
export async function starter(
  agent: Pick<AgentRoots, 'config'>,
  options: RunDoorsOptions,
  minimum: () => BoundaryClass,
): Promise<NonNullable<RunDoors['mcp']>['start']> {
  const { openMcpStarter } = await import('./open-run-mcp.ts');
  const sandboxes = async (): Promise<Sandboxes> => await options.sandboxes(agent.config.sandbox?.image);
  const credentials = openRunCredentials(options).open;
  return openMcpStarter(agent, { ...options, credentials, sandboxes, root: path.resolve(options.root), minimum });
}
