import path from 'node:path';
import type { AgentConfig } from '../contracts/config.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { Home } from '../state/home.ts';
import { isReachedThroughLink, isWithin, realPlace } from '../state/linked-place.ts';

interface AgentFolders {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly config: AgentConfig;
  /** Absolute. */
  readonly workspace: string;
}

/**
 * Tenants have nothing in common: every folder and file that an agent of another tenant than `default` names lies in its
 * tenant's own root, links followed. Agents of `default` cannot reach those roots, because they are closed to them.
 * @throws FixRequestError otherwise.
 */
export function refuseForeignFolders(home: Home, { tenant, agent, config, workspace }: AgentFolders): void {
  if (tenant === 'default') return;
  const base = home.tenantRoot(tenant);
  for (const { name, dir } of [{ name: 'the root "workspace"', dir: workspace }, ...foldersOf(config, base)]) {
    if (isWithin(dir, base) && isWithin(realPlace(dir), realPlace(base))) continue;
    throw new FixRequestError(
      'worker.foreign-root',
      `Agent ${agent} of tenant ${tenant} names ${dir} as ${name}, which lies outside ${base}, and tenants share no folder. Put it there.`,
      {
        publicMessage: `What agent ${agent} names as ${name} lies outside the root of tenant ${tenant}, and tenants share no folder. Put it there.`,
      },
    );
  }
}

/**
 * The repo of a project is reached through no link beneath its tenant's root, or, where it lies elsewhere, through none
 * at all: repos may lie in each other, and who works in the outer one could else choose the folder of the inner one's runs.
 * @throws FixRequestError otherwise.
 */
export function refuseLinkedRepo(home: Home, { tenant, workspace }: Pick<AgentFolders, 'tenant' | 'workspace'>): void {
  if (!isReachedThroughLink(home.tenantRoot(tenant), workspace)) return;
  throw new FixRequestError(
    'worker.linked-repo',
    `The repo ${workspace} is reached through a link, and whoever may change the link would choose where runs work. Write in projects.yaml where it really lies.`,
    {
      publicMessage:
        'The repo of the project is reached through a link, and whoever may change the link would choose where runs work. Ask who runs this installation to write in projects.yaml where it really lies.',
    },
  );
}

interface NamedFolder {
  readonly name: string;
  readonly dir: string;
}

function foldersOf({ roots, mcp, sandbox }: AgentConfig, base: string): NamedFolder[] {
  const { rootfs, tarball } = sandbox?.image ?? {};
  const named: readonly (readonly [string, string | undefined])[] = [
    ...Object.entries(roots ?? {}).map(([name, folder]) => [`the root "${name}"`, folder] as const),
    ...Object.entries(mcp ?? {}).map(([name, { folder }]) => [`the folder of the MCP server "${name}"`, folder] as const),
    ['the image', rootfs ?? tarball],
  ];
  return named.flatMap(([name, folder]) => (folder === undefined ? [] : [{ name, dir: path.resolve(base, folder) }]));
}
