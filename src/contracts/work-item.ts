import * as z from 'zod/mini';
import { FixRequestError } from './errors.ts';
import {
  parseAgentId,
  parseApprovalId,
  parseRunId,
  parseSessionId,
  parseTenantId,
  type ApprovalId,
  type RunId,
  type TenantId,
} from './ids.ts';
import { runLimits, type RunItem } from './run.ts';
import type { TaskMessage } from './task.ts';

/** Asks an executor to go on with a run that stopped: an approval was answered, or a human wants it. */
export interface ResumeItem {
  readonly kind: 'resume';
  readonly runId: RunId;
  readonly tenant: TenantId;
  /** The question whose answer it goes on with. */
  readonly approval?: ApprovalId;
}

/** What a task's payload says. */
export type WorkItem = RunItem | ResumeItem;

const agentItem = z.object({
  kind: z.literal('agent'),
  runId: z.string(),
  sessionId: z.string(),
  tenant: z.string(),
  agent: z.string(),
  door: z.enum(['cli', 'http', 'cron', 'chat', 'loop', 'swarm']),
  principal: z.strictObject({ kind: z.enum(['user', 'service', 'executor']), id: z.string() }),
  input: z.string(),
  model: z.optional(z.string()),
  workspace: z.optional(z.string()),
  limits: z.optional(z.partial(runLimits)),
});

const resumeItem = z.object({ kind: z.literal('resume'), runId: z.string(), tenant: z.string(), approval: z.optional(z.string()) });

/**
 * The item in a task. Fields that it does not know are left out: a later version may have put it.
 * @throws FixRequestError when it is none, or when it speaks of another tenant than its message.
 */
export function parseWorkItem({ payload, tenant_id: owner, task_id: task }: TaskMessage): WorkItem {
  const parsed = z.discriminatedUnion('kind', [agentItem, resumeItem]).safeParse(payload);
  if (!parsed.success) throw badItem(task, `its payload is wrong at "${parsed.error.issues[0]?.path.join('.') ?? ''}"`);
  const item = parsed.data;
  if (item.tenant !== owner) throw badItem(task, `it is tenant ${owner}'s, and its payload speaks of tenant ${item.tenant}`);
  const common = { runId: parseRunId(item.runId), tenant: parseTenantId(item.tenant) };
  if (item.kind === 'resume')
    return { kind: 'resume', ...common, ...(item.approval === undefined ? {} : { approval: parseApprovalId(item.approval) }) };
  return { ...item, ...common, sessionId: parseSessionId(item.sessionId), agent: parseAgentId(item.agent) } as RunItem;
}

function badItem(task: string, why: string): FixRequestError {
  return new FixRequestError(
    'contracts.bad-item',
    `Task ${task} cannot be worked on: ${why}. Remove it with "clawhold queue", and put it again.`,
  );
}
