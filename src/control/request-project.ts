import fs from 'node:fs';
import { counted, listed } from '../contracts/counted.ts';
import type { Clock } from '../contracts/clock.ts';
import type { RunRequest } from '../contracts/admission.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { Log } from '../contracts/log.ts';
import type { Lane, Project } from '../contracts/project.ts';
import { isReachedThroughLink, nameFrom } from '../state/linked-place.ts';
import type { Runs } from '../state/runs.ts';
import { refused, refusedByError, type Refused } from './refusal.ts';

export interface RequestProjectContext {
  readonly log: Log;
  /** As platform and tenant have them now. @throws FixRequestError when a file is wrong. */
  readonly projects: (tenant: TenantId) => Promise<readonly Project[]>;
}

/** Where a run works, and by which rates it is bounded. */
export interface ProjectPlace {
  readonly project: Project;
  readonly lane: Lane;
}

/**
 * The project and lane that a request names, if they are listed for the tenant; undefined when it names none. Nobody
 * chooses a folder: a run for a project works in the project's.
 */
export async function requestedPlace(
  ctx: RequestProjectContext,
  tenant: TenantId,
  { project: id, lane: laneName }: Pick<RunRequest, 'project' | 'lane'>,
): Promise<ProjectPlace | Refused | undefined> {
  if (id === undefined && laneName === undefined) return undefined;
  if (id === undefined || laneName === undefined)
    return refused('control.no-lane', 'A project and a lane of it are named together. Name both, or neither.');
  let projects: readonly Project[];
  try {
    projects = await ctx.projects(tenant);
  } catch (error) {
    return refusedByError(ctx.log, error, {
      code: 'control.projects-invalid',
      message: `Projects cannot be used now, because a projects.yaml is not valid. "clawhold projects validate" tells its operator why.`,
      fields: { tenant_id: tenant },
    });
  }
  return placeIn(tenant, projects, { id, laneName });
}

const noneListed = 'none is listed for it';

function placeIn(
  tenant: TenantId,
  projects: readonly Project[],
  { id, laneName }: { readonly id: string; readonly laneName: string },
): ProjectPlace | Refused {
  const ids = projects.map((one) => one.id);
  const project = projects.find((one) => one.id === id);
  if (project === undefined)
    return refused(
      'control.project-not-allowed',
      `Tenant ${tenant} has no project ${JSON.stringify(id.slice(0, 80))}: ${listed(ids, noneListed)}. Name one of them, or have it listed in projects.yaml.`,
    );
  const lanes = project.lanes.map((one) => one.lane);
  const lane = project.lanes.find((one) => one.lane === laneName);
  if (lane === undefined)
    return refused(
      'control.lane-not-allowed',
      `Project ${id} has no lane ${JSON.stringify(laneName.slice(0, 80))} for tenant ${tenant}: ${listed(lanes, noneListed)}. Name one of them, or have it listed in projects.yaml.`,
    );
  return unusable(project) ?? { project, lane };
}

/** Where it lies is not told. A run looks again when it begins. */
function unusable({ id, dir, root }: Project): Refused | undefined {
  const code = 'control.project-unusable';
  if (fs.statSync(dir, { throwIfNoEntry: false })?.isDirectory() !== true)
    return refused(code, `The repo of project ${id} is not there. Ask who runs this installation to put it in its place.`);
  if (!isReachedThroughLink(root, dir)) return undefined;
  return refused(
    code,
    `The repo of project ${id} is reached through a link, and whoever may change the link would choose where its runs work. Ask who runs this installation to write in projects.yaml where it really lies.`,
  );
}

/** The workspace of its runs, as an item of a run names it. */
export function workspaceOf({ root, dir }: Project): string {
  return nameFrom(root, dir);
}

const windows = [
  ['runsPerMinute', 60_000, 'a minute'],
  ['runsPerHour', 3_600_000, 'an hour'],
] as const;

/** Why its lane never starts anything, however long somebody waits; undefined when it does. */
export function closedLane({ project, lane: { lane, rateLimits } }: ProjectPlace): Refused | undefined {
  const rate = windows.map(([name]) => name).find((name) => rateLimits[name] === 0);
  if (rate === undefined) return undefined;
  return refused(
    'control.lane-closed',
    `Lane ${lane} of project ${project.id} starts nothing, because its ${rate} is 0. Name another lane, or have the rate raised in projects.yaml.`,
  );
}

/** Why one run more would be too many in its lane now; undefined when it is not. Counted in the table of runs, so that a restart forgets none. */
export function exceededRate(
  { clock, runs }: { readonly clock: Clock; readonly runs: Pick<Runs, 'countInLane'> },
  tenant: TenantId,
  place: ProjectPlace,
): Refused | undefined {
  const closed = closedLane(place);
  if (closed !== undefined) return closed;
  const {
    project,
    lane: { lane, rateLimits },
  } = place;
  for (const [rate, spanMs, span] of windows) {
    const limit = rateLimits[rate];
    if (limit === undefined) continue;
    const used = runs.countInLane({ tenant, project: project.id, lane, sinceMs: clock.now() - spanMs });
    if (used >= limit)
      return refused(
        'control.over-rate',
        `Lane ${lane} of project ${project.id} may start ${counted(limit, 'run')} in ${span} and started ${used}, so nothing more is started (${rate}). Wait, or have the rate raised in projects.yaml.`,
      );
  }
  return undefined;
}

export function hasRate({ lane: { rateLimits } }: ProjectPlace): boolean {
  return Object.keys(rateLimits).length > 0;
}
