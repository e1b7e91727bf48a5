import fs from 'node:fs';
import path from 'node:path';
import { strictestClass, type BoundaryClass } from '../contracts/isolation.ts';
import { chooseDriver, limitsFor } from '../sandbox/open-sandbox.ts';
import type { Sandbox } from '../sandbox/sandbox.ts';
import { startMcpInSandbox } from '../tools/mcp-in-sandbox.ts';
import type { McpServer } from '../tools/mcp-pin.ts';
import type { StartMcp } from '../tools/mcp.ts';
import type { EgressWay } from '../tools/run-shell.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import { openRunEgress, proxyEnv, type RunEdgesOptions, type RunEgress } from './open-run-egress.ts';
import type { Sandboxes } from './sandboxes.ts';

export interface RunMcpOptions extends RunEdgesOptions {
  readonly sandboxes: () => Promise<Sandboxes>;
  /** Relative folders of servers begin here. */
  readonly root: string;
  /** The weakest class that policy allows; asked for when a server starts. */
  readonly minimum: () => BoundaryClass;
}

const programInside = '/opt/mcp';

/**
 * Starts the MCP servers of one run, each in a sandbox of its own: an empty workspace, its program read-only, its
 * declared environment and nothing else, and the hosts it was given. @throws what the sandbox throws: then nothing ran.
 */
export function openMcpStarter(agent: Pick<AgentRoots, 'config'>, options: RunMcpOptions): (name: string, server: McpServer) => StartMcp {
  return (name, server) => async (callbacks) => {
    const hosts = server.hosts ?? [];
    const egress = hosts.length === 0 ? undefined : openRunEgress({ tool: `mcp.${name}`, hosts }, options);
    const way = await egress?.open();
    const command = [...(way?.wrap(server.command) ?? server.command)];
    const start = startMcpInSandbox(
      { ...server, command },
      {
        placeholders: way?.placeholders ?? new Map(),
        sandbox: async () => await startSandbox(agent, options, { name, server, egress, way }),
      },
    );
    return await start(callbacks);
  };
}

interface ServerParts {
  readonly name: string;
  readonly server: McpServer;
  readonly egress: RunEgress | undefined;
  readonly way: EgressWay | undefined;
}

async function startSandbox(
  agent: Pick<AgentRoots, 'config'>,
  options: RunMcpOptions,
  parts: ServerParts,
): Promise<Pick<Sandbox, 'exec' | 'stop'>> {
  const wanted = agent.config.sandbox?.driver ?? 'auto';
  const { drivers, candidates, runtimeDir } = await options.sandboxes();
  const minimum = strictestClass(options.minimum(), parts.server.minimum);
  const { driver, probe } = await chooseDriver({ drivers: wanted === 'auto' ? candidates : drivers, wanted, minimum });
  // A server is one command that lasts as long as the run, and its output is its protocol.
  const { wallMs: _wall, outputBytes: _output, ...limits } = limitsFor(probe).limits;
  fs.mkdirSync(runtimeDir, { recursive: true, mode: 0o711 });
  const workspace = fs.mkdtempSync(path.join(runtimeDir, 'mcp-'));
  const { name, server, egress, way } = parts;
  const folder = server.folder === undefined ? [] : [{ host: path.resolve(options.root, server.folder), inside: programInside }];
  const sandbox = await driver.start({
    label: `${options.names.run}-${name}`.toLowerCase(),
    workspace,
    readOnly: [...folder, ...(egress?.readOnly ?? [])],
    limits,
    network: egress === undefined ? 'none' : { egressSocketDir: egress.socketDir },
    env: way === undefined ? {} : proxyEnv,
  });
  const stop = async (): Promise<void> => {
    await sandbox.stop();
    await way?.[Symbol.asyncDispose]();
    fs.rmSync(workspace, { recursive: true, force: true });
  };
  return { exec: async (argv, how) => await sandbox.exec(argv, how), stop };
}
