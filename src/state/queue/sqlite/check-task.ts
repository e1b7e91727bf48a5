import { FixRequestError, reasonOf } from '../../../contracts/errors.ts';
import { taskMessage } from '../../../contracts/task.ts';
import type { PutTask } from '../../queue.ts';
import type { NewTask } from './operations.ts';

/** Of one message as JSON. */
const maxBytes = 1024 * 1024;
const maxMessage = '1 MiB';

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

function requireRange(name: string, value: number, { min, max }: { readonly min: number; readonly max: number }): void {
  if (!Number.isSafeInteger(value) || value < min || value > max) {
    throw refused(`${name} is ${value}, but must be a whole number from ${min} to ${max}`);
  }
}

function refused(why: string, cause?: unknown): FixRequestError {
  return new FixRequestError('state.task-refused', `The task cannot be put: ${why}. Correct the message and put it again.`, { cause });
}
