import os from 'node:os';
import path from 'node:path';
import type { RunEvent } from '../../agent/run-events.ts';
import { FixRequestError, RetryableError } from '../../contracts/errors.ts';
import type { RunId, TenantId } from '../../contracts/ids.ts';
import type { Project } from '../../contracts/project.ts';
import type { RunItem } from '../../contracts/run.ts';
import { readProjects } from '../../control/projects.ts';
import { requestedPlace } from '../../control/request-project.ts';
import type { RunRow } from '../../state/runs.ts';
import type { Arrivals } from '../../control/arrivals.ts';
import { openExecutor, type Executor } from '../../worker/execute-tasks.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

export const defaultConcurrency = 16;
const defaultLeaseSeconds = 30;

export interface ExecutorParts extends ServeTools {
  readonly installation: Installation;
  readonly concurrency: number;
  /** Of runs that this process admitted. */
  readonly arrivals?: Arrivals;
  /** Parts of texts go to who listens in this process. */
  readonly publish: (run: { readonly tenant: TenantId; readonly run: RunId }, event: RunEvent) => void;
}

/** An executor of one installation, for all its tenants. */
export function serveExecutor(parts: ExecutorParts): Executor {
  const { installation, queue, log, metrics, tracer, concurrency } = parts;
  return openExecutor({
    queue,
    name: `${os.hostname()}-${process.pid}`,
    concurrency,
    leaseMs: (installation.serve().queue?.leaseSeconds ?? defaultLeaseSeconds) * 1000,
    log,
    metrics,
    tracer,
    traced: parts.traced,
    ...(parts.arrivals === undefined ? {} : { arrivals: parts.arrivals }),
    workerOf: async (tenant) => await installation.workerOf(tenant),
    mayWork: (tenant) => !isSuspended(installation, tenant),
    mayBegin: async (item) => await refuseLostPlace(parts, item),
    publish: parts.publish,
    settled: async (row) => recordSettled(parts, row),
  });
}

/**
 * A lane that was taken away while a run of it waited starts nothing. Its rate was counted when the run was admitted; a
 * registry that is wrong now is tried again, for a person may be writing it.
 */
async function refuseLostPlace({ installation: { home }, log }: ExecutorParts, item: RunItem): Promise<void> {
  if (item.project === undefined) return;
  const projects = async (tenant: TenantId): Promise<readonly Project[]> => await readProjects(home, tenant);
  const place = await requestedPlace({ log, projects }, item.tenant, item);
  if (place === undefined) return;
  if (!('outcome' in place)) {
    if (path.resolve(place.project.root, item.workspace ?? '') === place.project.dir) return;
    const why = `The repo of project ${item.project} is another one now than when the run was admitted, so it does not begin. Start it again.`;
    throw new FixRequestError('control.project-moved', why);
  }
  const { code, message } = place;
  // What is wrong with the folder itself is said by who opens it.
  if (code === 'control.project-unusable') return;
  throw code === 'control.projects-invalid' ? new RetryableError(code, message) : new FixRequestError(code, message);
}

/** Of a file that cannot be read now nothing is known: a person may be writing it. */
function isSuspended({ tenants }: Installation, tenant: TenantId): boolean {
  try {
    return tenants.get(tenant)?.isActive === false;
  } catch {
    // silent-ok: its next task is refused with what is wrong.
    return false;
  }
}

function recordSettled({ metrics }: ExecutorParts, { tenant, model, state, inputTokens, outputTokens, costMicroUsd = 0 }: RunRow): void {
  if (state === 'waiting') return;
  metrics.count('model_tokens_total', { tenant, model, direction: 'input' }, inputTokens);
  metrics.count('model_tokens_total', { tenant, model, direction: 'output' }, outputTokens);
  metrics.count('model_cost_usd_total', { tenant, model }, costMicroUsd / 1e6);
}
