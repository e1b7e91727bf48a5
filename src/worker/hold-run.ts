import { FixRequestError } from '../contracts/errors.ts';
import type { RunId } from '../contracts/ids.ts';
import { LeaseLostError } from '../contracts/lease-lost-error.ts';
import { isClaimAlive } from '../governance/ledger.ts';
import { onceATurn } from '../state/once-a-turn.ts';
import type { RunHolder, RunPatch, RunRow } from '../state/runs.ts';
import type { RunLease, WorkerContext } from './worker-context.ts';

/**
 * The hold on a run: one process at a time works on it.
 *
 * Who works for a command holds it as long as the process lives. Who works by a lease can be paused past the lease's
 * end and wake up: then another one has taken the run over, with a larger fence, although this process is alive. Three
 * things keep it from doing harm, none of which trusts its clock alone:
 *
 * 1. The taker exchanges the row's holder first and reads the ledger after that; the holder's intent is in the ledger
 *    before it looks at the row, and it acts only after that. So either it sees that it was replaced and does not act,
 *    or the taker sees the intent and does not act again.
 * 2. The taker gives the journal a new file, so that late lines go nowhere; every line bears its writer's fence.
 * 3. The holder looks at its lease before each line and at the end.
 */
export interface RunHold {
  /** Stands in every journal entry. Absent: the run was never leased. */
  readonly fence: number | undefined;
  readonly isTakenFromLiving: boolean;
  /** @throws LeaseLostError when another one holds the run, or may by now. */
  check(): void;
  /**
   * The same before each line of the journal, where one look a turn of the event loop will do: a late line goes nowhere, or
   * is left out when it is read. Before an action it will not, for the look must come after the intent is recorded.
   */
  guard(): void;
  /** The run's last word in its row, said only while it is held: one statement looks and writes. @throws as `check` */
  settle(patch: RunPatch): Promise<void>;
}

type HoldContext = Pick<WorkerContext, 'home' | 'runs' | 'ledger' | 'lease'>;

/** The hold on a run that no row is kept of yet: inserts the row. */
export async function holdNewRun(ctx: HoldContext, row: RunRow): Promise<RunHold> {
  const holder = holderAfter(row, await ownerOf(ctx, row), ctx.lease);
  await ctx.runs.add({ ...row, ...holder });
  return holdOf(ctx, row, { holder, isTakenFromLiving: false });
}

/**
 * Takes a run over from whoever had it, and says in its row that it is at work.
 * @throws FixRequestError when another process is at work on it.
 */
export async function takeRun(ctx: HoldContext, row: RunRow, begun: Pick<RunPatch, 'model' | 'startedMs'> = {}): Promise<RunHold> {
  const isAtWork = row.state === 'running' && row.owner !== undefined && isClaimAlive(ctx.home.ledgerDir(row.tenant), row.owner);
  if (isAtWork && !isLaterDelivery(row, ctx.lease))
    throw new FixRequestError(
      'worker.run-busy',
      `Run ${row.id} is at work in another process. Follow it with "clawhold runs tail ${row.id}", or stop it with "clawhold runs stop ${row.id}" first.`,
    );
  const holder = holderAfter(row, await ownerOf(ctx, row), ctx.lease);
  if (!(await ctx.runs.inGroup(() => ctx.runs.takeOver(row.id, row, { ...holder, ...begun, state: 'running', reason: '' }))))
    throw new FixRequestError(
      'worker.run-busy',
      `Run ${row.id} was taken by another process just now. Follow it with "clawhold runs tail ${row.id}".`,
    );
  return holdOf(ctx, row, { holder, isTakenFromLiving: isAtWork });
}

async function ownerOf(ctx: HoldContext, { tenant }: RunRow): Promise<string> {
  return (await ctx.ledger(tenant)).claimId;
}

/** The queue gave the same task to us after the holder had it: the holder's lease is over, whatever it believes. */
function isLaterDelivery({ task, taskFence }: RunRow, lease: RunLease | undefined): boolean {
  return lease !== undefined && task === lease.task && (taskFence ?? 0) < lease.fence;
}

function holderAfter({ fence }: RunRow, owner: string, lease: RunLease | undefined): RunHolder {
  if (lease === undefined) return fence === undefined ? { owner } : { owner, fence: fence + 1 };
  return { owner, fence: (fence ?? 0) + 1, task: lease.task, taskFence: lease.fence };
}

function holdOf(
  { runs, lease }: HoldContext,
  { id }: RunRow,
  { holder, isTakenFromLiving }: { readonly holder: RunHolder; readonly isTakenFromLiving: boolean },
): RunHold {
  const check = (): void => {
    if (lease === undefined) return;
    lease.check();
    if (!runs.isHeldBy(id, holder)) throw new LeaseLostError(lease.task);
  };
  const isHeldThisTurn = onceATurn((run: RunId) => runs.isHeldBy(run, holder));
  const guard = (): void => {
    if (lease === undefined) return;
    lease.check();
    if (!isHeldThisTurn(id)) throw new LeaseLostError(lease.task);
  };
  const settle = async (patch: RunPatch): Promise<void> => {
    lease?.check();
    if (lease === undefined) runs.update(id, patch);
    else if (!(await runs.inGroup(() => runs.settle(id, holder, patch)))) throw new LeaseLostError(lease.task);
  };
  return { fence: holder.fence, isTakenFromLiving, check, guard, settle };
}
