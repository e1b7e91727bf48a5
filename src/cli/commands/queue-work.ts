import { FixRequestError } from '../../contracts/errors.ts';
import { parseTaskId, type TaskId, type TenantId } from '../../contracts/ids.ts';
import { readPayload } from '../../contracts/read-payload.ts';
import { sumOf } from '../../control/quota.ts';
import { requeueTasks } from '../../control/requeue-tasks.ts';
import { recordQueueChange, type QueueChange } from '../../governance/record-queue-change.ts';
import { openRuns } from '../../state/runs.ts';
import type { Queue, QueueScope, TaskFacts } from '../../state/queue.ts';
import { printResult, type CommandContext } from '../command.ts';
import { count } from '../describe-totals.ts';
import { openHomeQueue } from '../resume-on-queue.ts';
import { localUser } from '../run-options.ts';
import type { RemoveFlags, ScopeFlags } from './queue.ts';
import { scopeFrom, stateFrom } from './queue-views.ts';

const removable = ['scheduled', 'ready', 'dead', 'done'] as const;
const page = 500;

export async function requeue(context: CommandContext, task: string | undefined, flags: ScopeFlags): Promise<void> {
  const id = task === undefined ? {} : { task: parseTaskId(task) };
  await record(context, 'requeued', { ...scopeFrom(context, flags), ...id });
  await using queue = await openHomeQueue(context.app);
  const database = await context.app.database();
  const ctx = { queue, runsOf: (tenant: TenantId) => openRuns(database, tenant) };
  const requeued = await requeueTasks(ctx, { ...scopeFrom(context, flags), ...id });
  if (requeued === 0 && task !== undefined) throw unknownTask(task, 'dead');
  printResult(context.io, { requeued }, `${count(requeued, 'dead task')} will be tried again.`);
}

export async function remove(context: CommandContext, task: string | undefined, flags: RemoveFlags): Promise<void> {
  const state = flags.state === undefined ? undefined : stateFrom(flags.state, removable);
  if (task === undefined && (state === undefined || flags.yes !== true))
    throw new FixRequestError(
      'cli.not-confirmed',
      'Nothing was removed. Name one task, or a --state together with --yes for all tasks of it.',
    );
  await using queue = await openHomeQueue(context.app);
  const scope = { ...scopeFrom(context, flags), ...(state === undefined ? {} : { state }) };
  await record(context, 'removed', { ...scope, ...(task === undefined ? {} : { task: parseTaskId(task) }) });
  const removed =
    task === undefined ? await removeAll(context, queue, scope) : await removeOne(context, queue, { ...scope, task: parseTaskId(task) });
  if (removed === 0 && task !== undefined) throw unknownTask(task, 'such');
  printResult(context.io, { removed }, `${count(removed, 'task')} removed.`);
}

async function record(
  context: CommandContext,
  change: QueueChange['change'],
  { tenant, agentType, task, state }: Pick<QueueChange, 'tenant' | 'agentType' | 'task' | 'state'>,
): Promise<void> {
  const what = {
    ...(tenant === undefined ? {} : { tenant }),
    ...(agentType === undefined ? {} : { agentType }),
    ...(task === undefined ? {} : { task }),
    ...(state === undefined ? {} : { state }),
  };
  await recordQueueChange(await context.app.ledger(), { principal: localUser(context), change, ...what }, Date.now());
}

type Removal = Parameters<Queue['remove']>[0];

async function removeOne(context: CommandContext, queue: Queue, wanted: Removal & { readonly task: TaskId }): Promise<number> {
  const facts = await findTask(queue, wanted, wanted.task);
  const removed = await queue.remove(wanted);
  if (removed > 0 && facts !== undefined) await endRun(context, facts);
  return removed;
}

/** Its tenant is not known to who names a task of the platform, so each is asked. */
async function findTask(queue: Queue, { tenant }: QueueScope, task: TaskId): Promise<TaskFacts | undefined> {
  const tenants = tenant === undefined ? new Set((await queue.counts()).map((one) => one.tenant)) : [tenant];
  for (const one of tenants) {
    const facts = await queue.get(one, task);
    if (facts !== undefined) return facts;
  }
  return undefined;
}

async function removeAll(context: CommandContext, queue: Queue, scope: Removal): Promise<number> {
  const { state } = scope;
  if (state === undefined) return 0;
  let removed = 0;
  let after: TaskId | undefined;
  for (;;) {
    const found: readonly TaskFacts[] = await queue.list({ ...scope, state, limit: page, ...(after === undefined ? {} : { after }) });
    for (const facts of found) {
      after = facts.message.task_id as TaskId;
      if ((await queue.remove({ tenant: facts.message.tenant_id as TenantId, task: after, state })) === 0) continue;
      removed += 1;
      await endRun(context, facts);
    }
    if (found.length < page) return removed;
  }
}

/** A run that was only accepted ends with its task. */
async function endRun({ app }: CommandContext, { message, state }: TaskFacts): Promise<void> {
  if (state === 'done') return;
  const payload = readPayload(message);
  if (payload.kind !== 'start') return;
  const runs = openRuns(await app.database(), payload.item.tenant);
  const row = runs.get(payload.item.runId);
  if (row?.state === 'accepted')
    runs.update(row.id, { state: 'cancelled', reason: 'its task was removed from the queue', endedMs: Date.now() });
}

function unknownTask(task: string, what: string): FixRequestError {
  return new FixRequestError(
    'cli.unknown-task',
    `There is no ${what} task ${task} that is not worked on. "clawhold queue list" shows what there is.`,
  );
}

export async function pause(context: CommandContext, flags: ScopeFlags): Promise<void> {
  await record(context, 'paused', scopeFrom(context, flags));
  await using queue = await openHomeQueue(context.app);
  await queue.pause(scopeFrom(context, flags));
  printResult(context.io, { isPaused: true }, `${whose(context, flags)} is paused; what waits is kept. Go on with: clawhold queue resume`);
}

export async function resume(context: CommandContext, flags: ScopeFlags): Promise<void> {
  await record(context, 'resumed', scopeFrom(context, flags));
  await using queue = await openHomeQueue(context.app);
  await queue.resume(scopeFrom(context, flags));
  printResult(context.io, { isPaused: false }, `${whose(context, flags)} goes on.`);
}

/** It stays paused, also when the time is over: whoever drains wants quiet. */
export async function drain(context: CommandContext, flags: ScopeFlags, timeout: string): Promise<void> {
  const seconds = Number(timeout);
  if (!Number.isFinite(seconds) || seconds < 0 || timeout.trim() === '')
    throw new FixRequestError(
      'cli.bad-number',
      `--timeout was given ${JSON.stringify(timeout)}, which is not a number of seconds. Correct it.`,
    );
  const scope = scopeFrom(context, flags);
  await record(context, 'paused', scope);
  await using queue = await openHomeQueue(context.app);
  await queue.pause(scope);
  const leased = await waitForQuiet(queue, scope, { untilMs: performance.now() + seconds * 1000, signal: context.signal });
  if (leased > 0) context.exit(context.signal.aborted ? 130 : 124);
  const text =
    leased === 0
      ? `${whose(context, flags)} is drained and paused. Go on with: clawhold queue resume`
      : `${count(leased, 'task')} still worked on. ${whose(context, flags)} stays paused; wait again with: clawhold queue drain`;
  printResult(context.io, { isPaused: true, leased }, text);
}

async function waitForQuiet(
  queue: Queue,
  scope: QueueScope,
  { untilMs, signal }: { readonly untilMs: number; readonly signal: AbortSignal },
): Promise<number> {
  const { setTimeout: delay } = await import('node:timers/promises');
  for (;;) {
    const { leased } = sumOf(await queue.counts(scope));
    if (leased === 0 || performance.now() >= untilMs || signal.aborted) return leased;
    // silent-ok: Ctrl-C ends the wait early.
    await delay(200, undefined, { signal }).catch(() => undefined);
  }
}

function whose({ app }: CommandContext, flags: ScopeFlags): string {
  return app.tenant === 'default' && flags.own !== true ? 'The queue' : `The queue of tenant ${app.tenant}`;
}
