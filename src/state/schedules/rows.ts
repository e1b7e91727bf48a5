import * as z from 'zod/mini';
import type { AgentId, RunId, SessionId, TenantId } from '../../contracts/ids.ts';
import { runStates, type RunState } from '../../contracts/run.ts';
import { scheduleJob, type ScheduleJob } from '../../contracts/schedule.ts';

/** A job, and where it stands. */
export interface JobRow {
  readonly tenant: TenantId;
  readonly id: string;
  readonly agent: AgentId;
  /** `agent.yaml`: follows that file; `cli`: a person made it, in any door. */
  readonly origin: 'agent.yaml' | 'cli';
  readonly job: ScheduleJob;
  readonly createdMs: number;
  /** From when `every` counts: when it was made, or got another time. */
  readonly anchorMs: number;
  /** The first slot that nobody has taken. Undefined: there is none. */
  readonly nextMs?: number;
  /** When it is acted on: `nextMs` and its jitter. */
  readonly dueMs?: number;
  /** Why it does not fire. */
  readonly pauseReason?: string;
  /** Processes that died with a run of this job since one came to its end. */
  readonly deaths: readonly { readonly owner: string; readonly ms: number }[];
}

/**
 * What became of one slot (or one manual start) of a job.
 *
 * `started → ended | refused`, and `missed`, `merged` for slots that are not run. `started` is written before the run is
 * asked for; while `run` is absent nobody knows whether it was. A missed slot may still start, when the clock went back.
 */
export const firingStates = ['started', 'ended', 'refused', 'missed', 'merged'] as const;
export type FiringState = (typeof firingStates)[number];

export interface FiringKey {
  readonly tenant: TenantId;
  readonly job: string;
  readonly slotMs: number;
  readonly isManual: boolean;
}

export interface FiringRow extends FiringKey {
  readonly agent: AgentId;
  readonly state: FiringState;
  /** One sentence; may be empty. */
  readonly reason: string;
  readonly startedMs: number;
  readonly endedMs?: number;
  readonly run?: RunId;
  /** What was asked for: asked again after a crash, it is the same, whatever the job says by then. */
  readonly request?: { readonly input: string; readonly session?: SessionId; readonly project?: string; readonly lane?: string };
  /** How the run ended. */
  readonly runState?: RunState;
  /** The last process that was seen at work on the run. */
  readonly owner?: string;
  /** How often a process died at work on it. */
  readonly interruptions: number;
}

const maybeInt = z.nullable(z.int());
const jobShape = z.object({
  tenant: z.string(),
  id: z.string(),
  agent: z.string(),
  origin: z.enum(['agent.yaml', 'cli']),
  definition: z.string(),
  created_ms: z.int(),
  anchor_ms: z.int(),
  next_ms: maybeInt,
  due_ms: maybeInt,
  pause_reason: z.nullable(z.string()),
  deaths: z.string(),
});
const firingShape = z.object({
  tenant: z.string(),
  job: z.string(),
  slot_ms: z.int(),
  is_manual: z.int(),
  agent: z.string(),
  state: z.enum(firingStates),
  reason: z.string(),
  started_ms: z.int(),
  ended_ms: maybeInt,
  run: z.nullable(z.string()),
  request: z.nullable(z.string()),
  run_state: z.nullable(z.enum(runStates)),
  owner: z.nullable(z.string()),
  interruptions: z.int(),
});

export function parseJob(raw: unknown): JobRow {
  const row = jobShape.parse(raw);
  return {
    tenant: row.tenant as TenantId,
    id: row.id,
    agent: row.agent as AgentId,
    origin: row.origin,
    job: scheduleJob.parse(JSON.parse(row.definition)),
    createdMs: row.created_ms,
    anchorMs: row.anchor_ms,
    ...(row.next_ms === null ? {} : { nextMs: row.next_ms }),
    ...(row.due_ms === null ? {} : { dueMs: row.due_ms }),
    ...(row.pause_reason === null ? {} : { pauseReason: row.pause_reason }),
    deaths: JSON.parse(row.deaths) as JobRow['deaths'],
  };
}

export function parseFiring(raw: unknown): FiringRow {
  const row = firingShape.parse(raw);
  return {
    tenant: row.tenant as TenantId,
    job: row.job,
    slotMs: row.slot_ms,
    isManual: row.is_manual === 1,
    agent: row.agent as AgentId,
    state: row.state,
    reason: row.reason,
    startedMs: row.started_ms,
    ...(row.ended_ms === null ? {} : { endedMs: row.ended_ms }),
    ...(row.run === null ? {} : { run: row.run as RunId }),
    ...(row.request === null ? {} : { request: JSON.parse(row.request) as NonNullable<FiringRow['request']> }),
    ...(row.run_state === null ? {} : { runState: row.run_state }),
    ...(row.owner === null ? {} : { owner: row.owner }),
    interruptions: row.interruptions,
  };
}
