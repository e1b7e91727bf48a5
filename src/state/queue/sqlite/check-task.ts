import { FixRequestError, reasonOf } from '../../../contracts/errors.ts';
import { takesAsIs } from '../../../contracts/takes-as-is.ts';
import { taskMessage } from '../../../contracts/task.ts';
import type { PutTask, QueueScope, TenantShare } from '../../queue.ts';
import type { NewTask } from './operations.ts';

/** Of one message as JSON. */
const maxBytes = 1024 * 1024;
const maxMessage = '1 MiB';

const takesMessage = takesAsIs(() => taskMessage);

/** @throws FixRequestError naming what is wrong with the task; nothing of the put is stored. */
export function checkTask({ message, priority = 5, notBeforeMs, maxDeliveries = 5 }: PutTask): NewTask {
  const json = toJson(message);
  requireRange('priority', priority, { min: 0, max: 9 });
  requireRange('maxDeliveries', maxDeliveries, { min: 1, max: 1_000_000 });
  if (notBeforeMs !== undefined) requireRange('notBeforeMs', notBeforeMs, { min: 0, max: Number.MAX_SAFE_INTEGER });
  const { tenant_id: tenant, agent_type: agentType, shard_id: shard, task_id: id, idempotency_key: key } = message;
  return { tenant, agentType, shard, id, key, message: json, priority, notBeforeMs, maxDeliveries };
}

function toJson(message: PutTask['message']): string {
  const json = refusing(() => {
    if (takesMessage(message)) return JSON.stringify(message);
    const parsed = taskMessage.safeParse(message);
    // What was given, not what was parsed: that lacks keys such as __proto__, and a payload is nobody's to change.
    if (parsed.success) return JSON.stringify(message);
    const [issue] = parsed.error.issues;
    throw new Error(`${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'it is not a task message'}`);
  });
  // SQLite stores UTF-8, in which all broken pairs of a string are one character: two keys would be one.
  for (const name of ['idempotency_key', 'swarm_id'] as const) {
    if (!message[name].isWellFormed()) throw refused(`${name} is not well-formed Unicode`);
  }
  if (Buffer.byteLength(json) > maxBytes) {
    throw new FixRequestError(
      'state.task-too-large',
      `The task message has ${Buffer.byteLength(json)} bytes, but ${maxMessage} is the most: the queue carries work, not documents. Store the input and name it in the payload.`,
    );
  }
  return json;
}

/** A payload that is nested too deeply or goes in a circle breaks whoever walks through it. */
function refusing(work: () => string): string {
  try {
    return work();
  } catch (error) {
    throw refused(reasonOf(error), error);
  }
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly code?: string;
}

function requireRange(field: string, value: number, { min, max, code = 'state.task-refused' }: Range): void {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return;
  throw new FixRequestError(
    code,
    `${field} cannot be ${value}: it must be a whole number from ${min} to ${max}. Correct it and try again.`,
  );
}

function refused(why: string, cause?: unknown): FixRequestError {
  return new FixRequestError('state.task-refused', `The task cannot be put: ${why}. Correct the message and put it again.`, { cause });
}

const name = /^[a-z][a-z0-9-]{0,62}$/;

/** @throws FixRequestError when a name or number cannot be one: an empty one must not mean all. */
export function checkScope({ tenant, agentType, shard }: QueueScope): void {
  for (const [field, value] of Object.entries({ tenant, agentType })) {
    if (value === undefined || name.test(value)) continue;
    throw new FixRequestError(
      'state.scope-refused',
      `${field} ${JSON.stringify(value)} names no tasks: it must be a name, or be left out. Correct it.`,
    );
  }
  if (shard !== undefined) requireRange('shard', shard, { min: 0, max: 65_535, code: 'state.scope-refused' });
}

/** @throws FixRequestError when a number is not one that a share can have: weight 0 would be a turn without an end. */
export function checkShare({ weight = 1, maxLeased = 0 }: TenantShare): void {
  requireRange('weight', weight, { min: 1, max: 1000, code: 'state.share-refused' });
  requireRange('maxLeased', maxLeased, { min: 0, max: Number.MAX_SAFE_INTEGER, code: 'state.share-refused' });
}
