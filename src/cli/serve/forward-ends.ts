import * as z from 'zod/mini';
import type { RunEvent } from '../../agent/run-events.ts';
import { parseRunId, parseTenantId, type RunId, type TenantId } from '../../contracts/ids.ts';
import { runStates } from '../../contracts/run.ts';
import { whenRead } from '../../contracts/when-read.ts';
import type { OpenRunFeed } from '../../state/run-feed.ts';

interface RunName {
  readonly tenant: TenantId;
  readonly run: RunId;
}

/** A longer output is found where it lies, a moment later. */
const maxOutput = 256 * 1024;
const count = z.int().check(z.nonnegative());
const totals = { turns: count, toolCalls: count, inputTokens: count, outputTokens: count, costMicroUsd: z.optional(count) };
const endMessage = whenRead(() =>
  z.strictObject({
    kind: z.literal('ended'),
    tenant: z.string(),
    run: z.string(),
    state: z.enum(runStates),
    reason: z.string().check(z.maxLength(maxOutput)),
    output: z.string().check(z.maxLength(maxOutput)),
    totals: z.object(totals),
  }),
);

/** What an executor process tells its server of a run: its end, so that nobody who waits for it has to look. Undefined for all else. */
export function endMessageOf({ tenant, run }: RunName, event: RunEvent): object | undefined {
  if (event.type !== 'run.ended' || event.output.length > maxOutput) return undefined;
  const { state, reason, output, totals: all } = event;
  return { kind: 'ended', tenant, run, state, reason, output, totals: all };
}

/**
 * Tells the end of a run that another process worked on to those who wait for it here. False when the message is none of
 * this: it comes from a process that executes agents, and is checked like everything from outside.
 */
export function acceptEnd(feed: Pick<OpenRunFeed, 'publish'>, message: unknown): boolean {
  const parsed = endMessage.safeParse(message);
  if (!parsed.success) return false;
  const { tenant, run, state, reason, output, totals: all } = parsed.data;
  let name: RunName;
  try {
    name = { tenant: parseTenantId(tenant), run: parseRunId(run) };
  } catch {
    // silent-ok: no run of anybody is called so.
    return false;
  }
  const { costMicroUsd, ...counts } = all;
  feed.publish(name, {
    type: 'run.ended',
    state,
    reason,
    output,
    totals: { ...counts, ...(costMicroUsd === undefined ? {} : { costMicroUsd }) },
  });
  return true;
}
