import { systemClock } from '../../contracts/clock.ts';
import { reasonOf } from '../../contracts/errors.ts';
import type { ApprovalId, RunId, TenantId } from '../../contracts/ids.ts';
import { givenUpReason } from '../../contracts/run.ts';
import { readPayload } from '../../contracts/read-payload.ts';
import { admitResume } from '../../control/admit-resume.ts';
import type { AdmitContext } from '../../control/admit.ts';
import { sharesOf } from '../../control/quota.ts';
import { openApprovals } from '../../state/approvals.ts';
import { openKeptAnswers } from '../../state/kept-answers.ts';
import type { TaskFacts } from '../../state/queue.ts';
import { openRuns, type RunRow } from '../../state/runs.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

export interface SweepContext extends ServeTools {
  readonly installation: Installation;
  readonly admission: AdmitContext;
}

const hourMs = 3_600_000;
const keepDoneMs = 24 * hourMs;

/** What a server looks after beside its requests. Each part fails alone, and is done again at the next round. */
export function startSweeps(ctx: SweepContext): AsyncDisposable {
  const stopped = new AbortController();
  const shares = new Map<TenantId, string>();
  const dead = new Map<TenantId, number>();
  const rounds = [
    repeat(ctx, stopped.signal, { name: 'shares', everyMs: 2000, work: async () => await applyShares(ctx, shares) }),
    repeat(ctx, stopped.signal, { name: 'dead tasks', everyMs: 5000, work: async () => await endDeadRuns(ctx, dead) }),
    repeat(ctx, stopped.signal, { name: 'answers', everyMs: 15_000, work: async () => await resumeAnswered(ctx) }),
    repeat(ctx, stopped.signal, { name: 'old tasks', everyMs: hourMs, work: async () => await forgetOld(ctx) }),
  ];
  return {
    [Symbol.asyncDispose]: async () => {
      stopped.abort();
      await Promise.all(rounds);
    },
  };
}

interface Round {
  readonly name: string;
  readonly everyMs: number;
  readonly work: () => Promise<void>;
}

async function repeat({ log }: SweepContext, signal: AbortSignal, { name, everyMs, work }: Round): Promise<void> {
  const { setTimeout: delay } = await import('node:timers/promises');
  while (!signal.aborted) {
    await work().catch((error: unknown) => log.error(`a round could not be finished: ${name}`, { reason: reasonOf(error) }));
    // silent-ok: the delay ends early when the server stops.
    await delay(everyMs, undefined, { signal, ref: false }).catch(() => undefined);
  }
}

/** The files of tenants are the truth; a command changes them while the server runs. */
async function applyShares({ installation: { tenants }, queue }: SweepContext, applied: Map<TenantId, string>): Promise<void> {
  for (const { tenant, share } of sharesOf(tenants)) {
    const text = JSON.stringify(share);
    if (applied.get(tenant) === text) continue;
    await queue.setShare(tenant, share);
    applied.set(tenant, text);
  }
}

/** A task that killed its worker at every delivery is dead, and nobody was left to say so in its run's row. */
async function endDeadRuns({ installation: { database }, queue }: SweepContext, seen: Map<TenantId, number>): Promise<void> {
  for (const { tenant, dead } of await queue.counts()) {
    if (dead === (seen.get(tenant) ?? 0)) continue;
    for (let after: TaskFacts | undefined, page: readonly TaskFacts[] = []; ; after = page.at(-1)) {
      page = await queue.list({
        tenant,
        state: 'dead',
        limit: 500,
        ...(after === undefined ? {} : { after: after.message.task_id as never }),
      });
      for (const facts of page) endDeadRun(openRuns(database, tenant), facts);
      if (page.length < 500) break;
    }
    seen.set(tenant, dead);
  }
}

function endDeadRun(runs: ReturnType<typeof openRuns>, { message, deliveries, lastReason }: TaskFacts): void {
  const row = runs.get(runIdOf(message) as RunId);
  if (row === undefined || (row.state !== 'accepted' && (row.state !== 'running' || row.task !== message.task_id))) return;
  const reason = givenUpReason(deliveries, lastReason ?? 'its workers died');
  runs.update(row.id, { state: 'failed', reason, endedMs: systemClock.now(), owner: null });
}

function runIdOf(message: TaskFacts['message']): string {
  try {
    const payload = readPayload(message);
    return payload.kind === 'start' ? payload.item.runId : payload.run;
  } catch {
    // silent-ok: a payload that nobody can read belongs to no run.
    return '';
  }
}

/**
 * Runs of the queue that wait although none of their questions is open: it was answered where no server was told, or
 * nobody answered in time. They go on and learn it.
 */
async function resumeAnswered({ installation: { database }, admission }: SweepContext): Promise<void> {
  const approvals = openApprovals(database);
  const nowMs = systemClock.now();
  for (let before: RunId | undefined; ;) {
    const page: readonly RunRow[] = openRuns(database).list({ state: 'waiting', limit: 200, ...(before === undefined ? {} : { before }) });
    for (const { id, tenant, task } of page) {
      const asked = task === undefined ? [] : approvals.list({ tenant, run: id, state: 'all' }, nowMs);
      const last = asked.at(-1);
      if (last === undefined || asked.some(({ state }) => state === 'open')) continue;
      await goOn(admission, { tenant, run: id, approval: last.id });
    }
    before = page.at(-1)?.id;
    if (page.length < 200) return;
  }
}

async function goOn(
  admission: AdmitContext,
  { tenant, run, approval }: { readonly tenant: TenantId; readonly run: RunId; readonly approval: ApprovalId },
): Promise<void> {
  await admitResume(admission, { kind: 'service', id: 'server', tenant, roles: ['operator'] }, { run, approval });
}

async function forgetOld({ installation: { database }, queue }: SweepContext): Promise<void> {
  const beforeMs = systemClock.now() - keepDoneMs;
  await queue.forget(beforeMs);
  openKeptAnswers(database).forget(beforeMs);
}
