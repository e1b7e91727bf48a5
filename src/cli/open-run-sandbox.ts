import path from 'node:path';
import type { Mask } from '../sandbox/sandbox.ts';
import { openRunShell, type EgressWay, type RunShell } from '../tools/run-shell.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import type { RunEgress } from './open-run-egress.ts';
import { limitsOf, type Sandboxes, type SandboxSettings } from './sandboxes.ts';

export interface RunSandboxOptions {
  /** Names the sandbox in lists and logs: the run's id. */
  readonly label: string;
  readonly sandboxes: (image: SandboxSettings['image']) => Promise<Sandboxes>;
  /** Folders that no command may see, should the workspace hold one: the home, the user's keys. */
  readonly protectedDirs: readonly string[];
  /** With it, commands have this one way out. */
  readonly egress?: RunEgress | undefined;
}

/** What programs in a sandbox are told: that nobody watches, and that nothing shows colours. */
const env = { CI: 'true', NO_COLOR: '1', TERM: 'dumb' } as const;

/** The sandbox of one run of an agent; nothing is opened yet. */
export function openRunSandbox(agent: Pick<AgentRoots, 'config' | 'workspace'>, options: RunSandboxOptions): RunShell {
  const settings = agent.config.sandbox ?? {};
  const wanted = settings.driver ?? 'auto';
  let opened: Promise<Sandboxes> | undefined;
  const sandboxes = async (): Promise<Sandboxes> => await (opened ??= options.sandboxes(settings.image));
  return openRunShell({
    drivers: async () => {
      const { drivers, candidates } = await sandboxes();
      return wanted === 'auto' ? candidates : drivers;
    },
    wanted,
    limits: limitsOf(settings.limits),
    spec: {
      label: options.label.toLowerCase(),
      workspace: agent.workspace,
      masks: masksOf(agent.workspace, options.protectedDirs),
      network: options.egress === undefined ? 'none' : { egressSocketDir: options.egress.socketDir },
      readOnly: options.egress?.readOnly ?? [],
      env,
    },
    ...(options.egress === undefined ? {} : { egress: async () => await openEgress(options.egress) }),
    reap: async () => await (await sandboxes()).reap(),
  });
}

async function openEgress(egress: RunSandboxOptions['egress']): Promise<EgressWay | undefined> {
  return await egress?.open();
}

function masksOf(workspace: string, protectedDirs: readonly string[]): Mask[] {
  return protectedDirs
    .map((dir) => path.relative(workspace, dir))
    .filter((relative) => relative !== '' && relative !== '..' && !relative.startsWith(`..${path.sep}`))
    .map((relative) => ({ path: relative, mode: 'hidden' as const }));
}
