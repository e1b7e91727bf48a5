import fs from 'node:fs/promises';
import path from 'node:path';
import { agentConfig } from '../../contracts/config.ts';
import { reasonOf } from '../../contracts/errors.ts';
import { parseAgentId, type AgentId, type TenantId } from '../../contracts/ids.ts';
import { hashJson } from '../../contracts/json.ts';
import { readYamlFile } from '../../state/read-yaml-file.ts';
import type { JobRow } from '../../state/schedules.ts';
import { jobOfAgent } from '../agent-job.ts';
import { addJob, changeJob, dropJob } from '../change-jobs.ts';
import type { SchedulerContext } from '../scheduler.ts';

/** By path: what a file looked like when it was last read. */
export type SeenFiles = Map<string, string>;

const follower = { kind: 'service', id: 'scheduler' } as const;

/**
 * Makes the jobs that agents' files ask for: added, changed and removed with `schedule:`. A file that cannot be read or
 * has a wrong schedule is told once, keeps the job it had, and hinders no other agent.
 */
export async function followAgents(ctx: SchedulerContext, seen: SeenFiles): Promise<void> {
  for (const tenant of await ctx.tenants()) {
    const agents = await agentFiles(path.join(ctx.home.tenantDir(tenant), 'agents'));
    for (const row of ctx.schedules.listFromFiles(tenant)) if (!agents.has(row.agent)) await dropJob(ctx, follower, row);
    for (const [agent, { file, look }] of agents) {
      if (seen.get(file) === look) continue;
      await followOne(ctx, tenant, { agent, file }).catch((error: unknown) =>
        ctx.log.error(`the schedule of agent ${agent} is not followed: ${reasonOf(error)}`, { tenant_id: tenant, agent }),
      );
      seen.set(file, look);
    }
  }
}

/** Regular files only: what is a link could be written elsewhere. */
async function agentFiles(folder: string): Promise<Map<AgentId, { readonly file: string; readonly look: string }>> {
  const found = new Map<AgentId, { readonly file: string; readonly look: string }>();
  for (const entry of await fs.readdir(folder, { withFileTypes: true }).catch(() => [])) {
    if (!entry.isDirectory() || !/^[a-z][a-z0-9-]{0,62}$/.test(entry.name)) continue;
    const file = path.join(folder, entry.name, 'agent.yaml');
    const stat = await fs.lstat(file).catch(() => undefined);
    if (stat?.isFile() === true)
      found.set(parseAgentId(entry.name), { file, look: `${stat.ino} ${stat.mtimeMs} ${stat.ctimeMs} ${stat.size}` });
  }
  return found;
}

async function followOne(
  ctx: SchedulerContext,
  tenant: TenantId,
  { agent, file }: { readonly agent: AgentId; readonly file: string },
): Promise<void> {
  const read = await readYamlFile(file, agentConfig);
  if (read === undefined) return;
  const old = ctx.schedules.get(tenant, agent);
  const wanted = jobOfAgent(tenant, agent, read.value);
  const names = { tenant_id: tenant, agent };
  if (wanted.kind === 'fault') {
    const { path: at, message } = wanted.fault;
    ctx.log.error(`${file}:${read.lineOf(at)}: ${at.join('.')} ${message}; the agent's schedule stays as it was`, names);
  } else if (old !== undefined && old.origin === 'cli') {
    if (wanted.kind === 'job')
      ctx.log.error(
        `agent ${agent} has a schedule, but a job of that name was added by hand. Remove it: clawhold cron remove ${agent}`,
        names,
      );
  } else await follow(ctx, old, wanted);
}

async function follow(
  ctx: SchedulerContext,
  old: JobRow | undefined,
  wanted: Exclude<ReturnType<typeof jobOfAgent>, { kind: 'fault' }>,
): Promise<void> {
  if (wanted.kind === 'none') {
    if (old !== undefined) await dropJob(ctx, follower, old);
  } else if (old === undefined) await addJob(ctx, follower, { job: wanted.job, origin: 'agent.yaml' });
  else if (hashJson(old.job) !== hashJson(wanted.job)) await changeJob(ctx, follower, { old, job: wanted.job });
}
