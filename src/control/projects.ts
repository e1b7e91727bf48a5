import path from 'node:path';
import {
  platformProjects,
  tenantProjects,
  type Lane,
  type PlatformProjects,
  type Project,
  type RateLimits,
  type TenantProjects,
} from '../contracts/project.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { Home } from '../state/home.ts';
import { isWithin } from '../state/linked-place.ts';
import { readYamlFile } from '../state/read-yaml-file.ts';
import type { ParsedYaml } from '../state/yaml-file.ts';

type Read<T> = Pick<ParsedYaml<T>, 'value' | 'lineOf'>;

/** The two files of one tenant, and where its relative folders begin. */
export interface ProjectFiles {
  readonly tenant: TenantId;
  /** Absolute. */
  readonly root: string;
  readonly platform: Read<PlatformProjects> | undefined;
  readonly own: Read<TenantProjects> | undefined;
}

export const platformFile = 'projects.yaml';

export function tenantFile(tenant: TenantId): string {
  return path.join('tenants', tenant, 'projects.yaml');
}

/**
 * The projects of one tenant, by id. Without `projects.yaml` there are none.
 * @throws InvalidFileError when a file is wrong, FixRequestError when the tenant's gives more than the platform's.
 */
export async function readProjects(home: Home, tenant: TenantId): Promise<readonly Project[]> {
  const read = async <T>(file: string, schema: Parameters<typeof readYamlFile<T>>[1]): Promise<Read<T> | undefined> =>
    await readYamlFile(path.join(home.dir, file), schema, { name: file });
  const [platform, own] = await Promise.all([read(platformFile, platformProjects), read(tenantFile(tenant), tenantProjects)]);
  return combineProjects({ tenant, root: home.tenantRoot(tenant), platform, own });
}

/**
 * What platform and tenant together give. Pure.
 *
 * Contract: a tenant's file only narrows: a project, lane, folder or rate that it adds to the platform's is refused with
 * both lines, all of them at once; without one the tenant has what the platform gives it. The folder of a project of
 * another tenant than `default` lies in that tenant's own root.
 * @throws FixRequestError
 */
export function combineProjects(files: ProjectFiles): readonly Project[] {
  const problems: string[] = [];
  const given = Object.entries(files.platform?.value.projects ?? {}).filter(([, { tenants }]) =>
    (tenants ?? ['default']).includes(files.tenant),
  );
  const wanted = files.own?.value.projects;
  for (const id of Object.keys(wanted ?? {})) {
    if (given.some(([name]) => name === id)) continue;
    problems.push(
      `${ownPlace(files, [id])}: project ${id} is not one that ${platformFile}${lineIn(files.platform, [id])} gives to tenant ${files.tenant}`,
    );
  }
  const projects = given
    .filter(([id]) => wanted === undefined || Object.hasOwn(wanted, id))
    .map(([id, platform]) => combineOne(files, { id, platform, own: wanted?.[id] ?? {} }, problems));
  if (problems.length === 0) return projects.toSorted((a, b) => a.id.localeCompare(b.id, 'en'));
  throw new FixRequestError(
    'control.wider-projects',
    `${problems.join('.\n')}.\nA tenant's file only narrows what the platform gives. Take it out, or have ${platformFile} changed.`,
  );
}

interface Pair {
  readonly id: string;
  readonly platform: PlatformProjects['projects'][string];
  readonly own: TenantProjects['projects'][string];
}

function combineOne(files: ProjectFiles, pair: Pair, problems: string[]): Project {
  const { id, platform, own: mine } = pair;
  const repo = mine.repo ?? platform.repo;
  const dir = path.resolve(files.root, repo);
  const outer = path.resolve(files.root, platform.repo);
  if (!isWithin(dir, outer))
    problems.push(
      `${ownPlace(files, [id, 'repo'])}: repo ${repo} of project ${id} lies outside ${platform.repo}, the repo at ${platformFile}${lineIn(files.platform, [id, 'repo'])}`,
    );
  if (files.tenant !== 'default' && !isWithin(outer, files.root))
    problems.push(
      `${platformFile}${lineIn(files.platform, [id, 'repo'])}: repo ${platform.repo} of project ${id} lies outside the root of tenant ${files.tenant}, and tenants share no folder`,
    );
  for (const lane of Object.keys(mine.lanes ?? {})) {
    if (Object.hasOwn(platform.lanes, lane)) continue;
    const known = Object.keys(platform.lanes).join(', ') || 'none';
    problems.push(
      `${ownPlace(files, [id, 'lanes', lane])}: lane ${lane} of project ${id} is not among those at ${platformFile}${lineIn(files.platform, [id, 'lanes'])} (${known})`,
    );
  }
  const lanes = Object.keys(platform.lanes)
    .filter((lane) => mine.lanes === undefined || Object.hasOwn(mine.lanes, lane))
    .map((lane) => combineLane(files, { ...pair, lane }, problems));
  return { id, title: mine.title ?? platform.title ?? '', repo, dir, root: files.root, lanes, tags: mine.tags ?? platform.tags ?? [] };
}

const rates = ['runsPerMinute', 'runsPerHour'] as const;
type PartialRates = { readonly [K in keyof RateLimits]?: number | undefined };

function combineLane(files: ProjectFiles, { id, lane, platform, own: mine }: Pair & { readonly lane: string }, problems: string[]): Lane {
  const above = lowest(platform.rateLimits, platform.lanes[lane]?.rateLimits);
  const places = [
    { at: [id, 'rateLimits'], limits: mine.rateLimits },
    { at: [id, 'lanes', lane, 'rateLimits'], limits: mine.lanes?.[lane]?.rateLimits },
  ];
  for (const { at, limits } of places) {
    for (const rate of rates) {
      const [asked, most] = [limits?.[rate], above[rate]];
      if (asked === undefined || most === undefined || asked <= most) continue;
      const higher = platform.lanes[lane]?.rateLimits?.[rate] === most ? [id, 'lanes', lane, 'rateLimits', rate] : [id, 'rateLimits', rate];
      problems.push(
        `${ownPlace(files, [...at, rate])}: ${rate} ${asked} of lane ${lane} is more than the ${most} at ${platformFile}${lineIn(files.platform, higher)}`,
      );
    }
  }
  return { lane, rateLimits: lowest(above, ...places.map(({ limits }) => limits)) };
}

function lowest(...layers: readonly (PartialRates | undefined)[]): RateLimits {
  return Object.fromEntries(
    rates.flatMap((rate) => {
      const named = layers.map((layer) => layer?.[rate]).filter((limit) => limit !== undefined);
      return named.length === 0 ? [] : [[rate, Math.min(...named)]];
    }),
  );
}

function ownPlace(files: ProjectFiles, at: readonly string[]): string {
  return `${tenantFile(files.tenant)}${lineIn(files.own, at)}`;
}

/** `:12`, or nothing where there is no file. */
function lineIn(read: Read<unknown> | undefined, at: readonly string[]): string {
  return read === undefined ? '' : `:${read.lineOf(['projects', ...at])}`;
}
