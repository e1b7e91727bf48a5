import { FixRequestError } from '../../contracts/errors.ts';
import { parseTaskId } from '../../contracts/ids.ts';
import { makeVisible } from '../../governance/visible.ts';
import type { QueueScope, TaskFacts, TaskState } from '../../state/queue.ts';
import { printResult, type CommandContext } from '../command.ts';
import { table } from '../io.ts';
import { openHomeQueue } from '../resume-on-queue.ts';
import type { ListFlags, ScopeFlags } from './queue.ts';

const states: readonly TaskState[] = ['scheduled', 'ready', 'leased', 'done', 'dead'];

/** Tenant default is the platform: it sees every queue, and with --own its own. Any other tenant sees its own. */
export function scopeFrom({ app }: CommandContext, { own, type }: ScopeFlags): QueueScope {
  const isAll = app.tenant === 'default' && own !== true;
  return { ...(isAll ? {} : { tenant: app.tenant }), ...(type === undefined ? {} : { agentType: type }) };
}

/** @throws FixRequestError for any other word. */
export function stateFrom<T extends TaskState>(text: string, allowed: readonly T[]): T {
  const state = allowed.find((one) => one === text);
  if (state !== undefined) return state;
  throw new FixRequestError('cli.bad-state', `There is no state ${JSON.stringify(text)}. Use one of: ${allowed.join(', ')}.`);
}

export async function showStatus(context: CommandContext, flags: ScopeFlags): Promise<void> {
  await using queue = await openHomeQueue(context.app);
  const scope = scopeFrom(context, flags);
  const [rows, pauses] = [await queue.counts(scope), await queue.pauses(scope)];
  const nowMs = Date.now();
  const cells = rows.map((row) => [
    row.tenant,
    row.agentType,
    String(row.ready),
    String(row.scheduled),
    String(row.leased),
    String(row.dead),
    row.isPaused ? 'paused' : '',
    row.oldestReadyMs === undefined ? '' : `${Math.max(0, Math.round((nowMs - row.oldestReadyMs) / 1000))} s`,
  ]);
  const head = ['TENANT', 'TYPE', 'READY', 'SCHEDULED', 'LEASED', 'DEAD', '', 'OLDEST'];
  const lines = [rows.length === 0 ? 'The queue is empty.' : table([head, ...cells]), ...pauses.map(describePause)];
  printResult(context.io, { queues: rows, pauses }, lines.join('\n'));
}

/** A pause is kept also while nothing waits; an operator must see it before something does. */
function describePause({ tenant, agentType, shard }: QueueScope): string {
  const parts = [tenant && `tenant ${tenant}`, agentType && `type ${agentType}`, shard !== undefined && `shard ${shard}`].filter(Boolean);
  return `Paused: ${parts.length === 0 ? 'everything' : parts.join(', ')}.`;
}

export async function listTasks(context: CommandContext, flags: ListFlags): Promise<void> {
  const state = stateFrom(flags.state, states);
  const limit = Number(flags.limit);
  if (!Number.isInteger(limit) || limit < 1 || limit > 1000)
    throw new FixRequestError(
      'cli.bad-number',
      `--limit was given ${JSON.stringify(flags.limit)}, which is not a whole number from 1 to 1000. Correct it.`,
    );
  await using queue = await openHomeQueue(context.app);
  const tasks = await queue.list({
    ...scopeFrom(context, flags),
    state,
    limit,
    ...(flags.after === undefined ? {} : { after: parseTaskId(flags.after) }),
  });
  const shown = tasks.map(documentOf);
  const cells = shown.map((one) => [
    one.task,
    one.tenant,
    one.run,
    `${one.deliveries}`,
    one.put.slice(0, 19),
    makeVisible(one.lastReason ?? ''),
  ]);
  const text =
    shown.length === 0 ? `No ${state} tasks.` : table([['TASK', 'TENANT', 'RUN', 'DELIVERIES', 'PUT (UTC)', 'LAST REASON'], ...cells]);
  printResult(context.io, { tasks: shown }, text);
}

/** What may be shown of a task: its input stands in the run. */
function documentOf({ message, state, priority, deliveries, putMs, notBeforeMs, worker, lastReason }: TaskFacts) {
  return {
    task: message.task_id,
    tenant: message.tenant_id,
    type: message.agent_type,
    run: message.swarm_id,
    state,
    priority,
    deliveries,
    put: new Date(putMs).toISOString(),
    ...(notBeforeMs === undefined ? {} : { notBefore: new Date(notBeforeMs).toISOString() }),
    ...(worker === undefined ? {} : { worker }),
    ...(lastReason === undefined ? {} : { lastReason }),
  };
}
