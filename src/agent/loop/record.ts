import type { RunLedgerEvent } from '../ledger-events.ts';
import type { AgentRun, RunAgentContext } from '../run-context.ts';

/** Appends to the ledger with the run's names and the clock's time; resolves when it is durable. */
export async function recordEvent(
  ctx: Pick<RunAgentContext, 'ledger' | 'clock'>,
  run: Pick<AgentRun, 'item'>,
  event: RunLedgerEvent,
): Promise<void> {
  const { runId, sessionId, agent } = run.item;
  const at = new Date(ctx.clock.now()).toISOString();
  await ctx.ledger.append({ ...event, at, run: runId, session: sessionId, agent });
}
