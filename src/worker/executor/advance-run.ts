import path from 'node:path';
import type { TaskPayload } from '../../contracts/admission.ts';
import type { RunId } from '../../contracts/ids.ts';
import { isGivenUp, terminalStates } from '../../contracts/run.ts';
import { readJournal } from '../../state/journal.ts';
import { acceptedRow, type RunRow } from '../../state/runs.ts';
import type { ExecutorContext } from '../execute-tasks.ts';
import { resumeRun } from '../resume-run.ts';
import { startListed } from '../start-run.ts';
import type { ItemOutcome, WorkerContext } from '../worker-context.ts';

/** Who works on it holds the lease of the task. */
export type LeasedWorker = WorkerContext & Required<Pick<WorkerContext, 'lease'>>;

export function runOf(payload: TaskPayload): RunId {
  return payload.kind === 'start' ? payload.item.runId : payload.run;
}

/**
 * Does what a delivery of a task still has to do: begins the run, goes on with it, or finds that an earlier delivery
 * has done it (undefined).
 */
export async function advanceRun(
  { mayBegin, signal }: Pick<ExecutorContext, 'mayBegin'> & { readonly signal: AbortSignal },
  worker: LeasedWorker,
  payload: TaskPayload,
): Promise<ItemOutcome | undefined> {
  const id = runOf(payload);
  const row = worker.runs.get(id) ?? insertRow(worker, payload);
  if (row === undefined || isDone(row, payload, worker)) return undefined;
  if (payload.kind === 'start' && !(await hasBegun(worker, row))) {
    await mayBegin?.(payload.item);
    return await startListed(worker, { given: payload.item, row }, signal);
  }
  return await resumeRun(worker, id, { signal, approvals: 'wait' });
}

/** The queue is the truth: admission may have died before the row. */
function insertRow({ runs, clock }: LeasedWorker, payload: TaskPayload): RunRow | undefined {
  if (payload.kind !== 'start') return undefined;
  runs.accept(acceptedRow(payload.item, clock.now()));
  return runs.get(payload.item.runId);
}

/**
 * A wish to go on is fulfilled once; a run that ended or waits is no business of the task that began it. One that was given
 * up goes on: its dead task was delivered because a human requeued it.
 */
function isDone(row: RunRow, payload: TaskPayload, { lease }: LeasedWorker): boolean {
  const { state, task } = row;
  if (state === 'done') return true;
  if (isGivenUp(row)) return false;
  const isSettled = terminalStates.has(state) || state === 'waiting';
  return isSettled && (payload.kind === 'start' || task === lease.task);
}

async function hasBegun({ home }: WorkerContext, { id, tenant, fence }: RunRow): Promise<boolean> {
  // Nobody has held it yet.
  if (fence === undefined) return false;
  const file = path.join(home.runDir(tenant, id), 'journal.jsonl');
  const entries = await readJournal(file).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return [];
    throw error;
  });
  return entries.some(({ kind }) => kind === 'accepted');
}
