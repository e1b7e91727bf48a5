import { RetryableError } from '../contracts/errors.ts';
import type { ModelFacts } from '../contracts/model.ts';
import type { RunItem } from '../contracts/run.ts';
import type { MoneyOutcome } from '../state/money-holds.ts';
import type { WorkerContext } from './worker-context.ts';

/** What one run may spend as long as it is worked on here. */
export interface RunMoney extends Disposable {
  /** US dollars; Infinity where nothing bounds it but its own limits. */
  readonly usd: number;
}

const unbounded: RunMoney = { usd: Infinity, [Symbol.dispose]: () => {} };

/**
 * Takes what a run may spend out of the tenant's day before it begins or goes on, so that runs at the same time do not
 * each spend all that is left. A model that costs nothing, and one whose cost nobody knows, takes nothing.
 * @throws RetryableError `worker.money-held` while others hold the rest, `worker.money-spent` when the day is used up:
 * then nothing was recorded, and the run waits.
 */
export async function holdMoney(
  ctx: Pick<WorkerContext, 'ledger' | 'money'>,
  { runId, tenant }: Pick<RunItem, 'runId' | 'tenant'>,
  { facts, wantedUsd }: { readonly facts: ModelFacts; readonly wantedUsd: number },
): Promise<RunMoney> {
  const { money } = ctx;
  if (money === undefined || !facts.hasPrice || facts.isFree === true || wantedUsd <= 0) return unbounded;
  const { claimId: owner } = await ctx.ledger(tenant);
  const outcome = money.take({ tenant, run: runId, owner, wantedMicroUsd: Math.ceil(wantedUsd * 1e6) });
  if (outcome.outcome === 'none') throw nothingLeft(runId, outcome);
  return { usd: outcome.microUsd / 1e6, [Symbol.dispose]: () => money.release(runId) };
}

function nothingLeft(run: string, { spentMicroUsd, heldMicroUsd }: Extract<MoneyOutcome, { outcome: 'none' }>): RetryableError {
  const spent = (spentMicroUsd / 1e6).toFixed(2);
  if (heldMicroUsd === 0)
    return new RetryableError(
      'worker.money-spent',
      `Run ${run} waits, because ${spent} US dollars were spent today and that is all its tenant may (quota usdPerDay). It goes on with the next day (UTC), or when the quota is raised.`,
    );
  return new RetryableError(
    'worker.money-held',
    `Run ${run} waits, because of its tenant's day ${spent} US dollars are spent and runs at work hold ${(heldMicroUsd / 1e6).toFixed(2)} (quota usdPerDay). It goes on when one has ended.`,
  );
}
