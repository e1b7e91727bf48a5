import { taskPayload, type TaskPayload } from './admission.ts';
import { FixRequestError } from './errors.ts';
import { takesAsIs } from './takes-as-is.ts';
import type { TaskMessage } from './task.ts';

const takesPayload = takesAsIs(() => taskPayload);

/**
 * What a task asks for.
 * @throws FixRequestError when it is nothing that this version knows, or speaks of another tenant than its message.
 */
export function readPayload({ payload, tenant_id: owner, task_id: task }: TaskMessage): TaskPayload {
  const read = takesPayload(payload) ? (payload as unknown as TaskPayload) : parsed(payload, task);
  const tenant = read.kind === 'start' ? read.item.tenant : read.tenant;
  if (tenant !== owner) throw badPayload(task, `it is tenant ${owner}'s, and its payload speaks of tenant ${tenant}`);
  return read;
}

function parsed(payload: unknown, task: string): TaskPayload {
  const { success, data, error } = taskPayload.safeParse(payload);
  if (success) return data as TaskPayload;
  throw badPayload(task, `its payload is wrong at "${error.issues[0]?.path.join('.') ?? ''}"`);
}

function badPayload(task: string, why: string): FixRequestError {
  return new FixRequestError('contracts.bad-payload', `Task ${task} cannot be worked on: ${why}. Remove it, and put it again.`);
}
