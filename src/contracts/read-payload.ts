import { taskPayload, type TaskPayload } from './admission.ts';
import { FixRequestError } from './errors.ts';
import type { TaskMessage } from './task.ts';

/**
 * What a task asks for.
 * @throws FixRequestError when it is nothing that this version knows, or speaks of another tenant than its message.
 */
export function readPayload({ payload, tenant_id: owner, task_id: task }: TaskMessage): TaskPayload {
  const parsed = taskPayload.safeParse(payload);
  if (!parsed.success) throw badPayload(task, `its payload is wrong at "${parsed.error.issues[0]?.path.join('.') ?? ''}"`);
  const tenant = parsed.data.kind === 'start' ? parsed.data.item.tenant : parsed.data.tenant;
  if (tenant !== owner) throw badPayload(task, `it is tenant ${owner}'s, and its payload speaks of tenant ${tenant}`);
  return parsed.data as TaskPayload;
}

function badPayload(task: string, why: string): FixRequestError {
  return new FixRequestError('contracts.bad-payload', `Task ${task} cannot be worked on: ${why}. Remove it, and put it again.`);
}
