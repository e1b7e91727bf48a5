import type { TaskId, TenantId } from '../contracts/ids.ts';
import { readPayload } from '../contracts/read-payload.ts';
import { isGivenUp, type RunItem } from '../contracts/run.ts';
import type { Queue, QueueScope, TaskFacts } from '../state/queue.ts';
import type { RunHolder, RunRow, Runs } from '../state/runs.ts';

export interface RequeueContext {
  readonly queue: Pick<Queue, 'get' | 'list' | 'requeue'>;
  readonly runsOf: (tenant: TenantId) => Pick<Runs, 'get' | 'takeOver'>;
}

type Scope = QueueScope & { readonly task?: TaskId };

interface Told {
  readonly task: TaskId;
  /** As it was given up. */
  readonly row: RunRow;
}

/**
 * Lets dead tasks be tried again, and says so in the rows of their runs. Resolves with how many.
 *
 * Contract: a row says that its run waits before anybody can get the task, and nothing of a row whose fence is another by
 * now is changed; a task that stayed dead, or is gone by then, has its row as it was.
 */
export async function requeueTasks(ctx: RequeueContext, scope: Scope): Promise<number> {
  const told: Told[] = [];
  for await (const facts of deadTasks(ctx.queue, scope)) {
    const row = givenUpRow(ctx, facts);
    if (row !== undefined && change(ctx, row, { state: 'accepted', reason: 'it was put on the queue again', endedMs: null }))
      told.push({ task: facts.message.task_id as TaskId, row });
  }
  let requeued = 0;
  try {
    requeued = await ctx.queue.requeue(scope);
  } finally {
    if (requeued < told.length) for (const one of told) await takeBack(ctx, one);
  }
  return requeued;
}

const page = 500;

async function* deadTasks(queue: RequeueContext['queue'], { task, ...scope }: Scope): AsyncGenerator<TaskFacts, void> {
  let found: readonly TaskFacts[];
  let last: TaskFacts | undefined;
  do {
    const after = last === undefined ? {} : { after: last.message.task_id as TaskId };
    found = await queue.list({ ...scope, state: 'dead', limit: page, ...after });
    for (const facts of found) if (task === undefined || facts.message.task_id === task) yield facts;
    last = found.at(-1);
  } while (found.length === page);
}

function givenUpRow({ runsOf }: RequeueContext, { message }: TaskFacts): RunRow | undefined {
  const run = runIn(message);
  const row = run === undefined ? undefined : runsOf(message.tenant_id as TenantId).get(run);
  return row !== undefined && isGivenUp(row) ? row : undefined;
}

function runIn(message: TaskFacts['message']): RunItem['runId'] | undefined {
  try {
    const payload = readPayload(message);
    return payload.kind === 'start' ? payload.item.runId : payload.run;
  } catch {
    // silent-ok: a payload that nobody can read belongs to no run; whoever gets the task says so.
    return undefined;
  }
}

async function takeBack(ctx: RequeueContext, { task, row }: Told): Promise<void> {
  const now = await ctx.queue.get(row.tenant, task);
  if (now !== undefined && now.state !== 'dead') return;
  if (ctx.runsOf(row.tenant).get(row.id)?.state !== 'accepted') return;
  change(ctx, row, { state: 'failed', reason: row.reason, endedMs: row.endedMs ?? null });
}

type Words = Pick<RunRow, 'state' | 'reason'> & { readonly endedMs: number | null };

/** False when somebody holds the run by now, which gave it another fence. */
function change({ runsOf }: RequeueContext, row: RunRow, words: Words): boolean {
  return runsOf(row.tenant).takeOver(row.id, row, { ...holderOf(row), ...words });
}

function holderOf({ owner, fence, task, taskFence }: RunRow): RunHolder {
  return {
    ...(owner === undefined ? {} : { owner }),
    ...(fence === undefined ? {} : { fence }),
    ...(task === undefined ? {} : { task }),
    ...(taskFence === undefined ? {} : { taskFence }),
  };
}
