import fs from 'node:fs';
import path from 'node:path';
import type { RunOutcome } from '../agent/run-agent.ts';
import { hashJson, sha256, type Sha256 } from '../contracts/json.ts';
import type { RunItem } from '../contracts/run.ts';
import { bundleFiles } from './bundle.ts';
import type { RunHold } from './hold-run.ts';
import type { RunJournal } from './run-journal.ts';
import type { ItemOutcome, WorkerContext } from './worker-context.ts';

export interface FinishInput {
  readonly item: RunItem;
  readonly outcome: RunOutcome;
  /** Its end included. */
  readonly journal: Pick<RunJournal, 'all' | 'sha256'>;
  readonly hold: RunHold;
}

/**
 * Leaves the bundle, the ledger's last word on the run and the run's row, in this order: a crash in between is
 * repaired by the next resume, because the journal already holds the end.
 */
export async function finishRun(ctx: WorkerContext, input: FinishInput): Promise<ItemOutcome> {
  const { item, outcome, hold } = input;
  hold.check();
  const files = writeBundle(ctx, input);
  const at = new Date(ctx.clock.now()).toISOString();
  const accepted = input.journal.all.find((entry) => entry.kind === 'accepted');
  const ledger = await ctx.ledger(item.tenant);
  await ledger.append({
    type: 'run.end',
    at,
    run: item.runId,
    session: item.sessionId,
    agent: item.agent,
    state: outcome.state,
    files,
    instructions: hashJson(accepted?.pinned.files ?? []),
  });
  const { state, reason, output, totals, waiting } = outcome;
  const { costMicroUsd, ...counts } = totals;
  await hold.settle({
    state,
    reason,
    endedMs: ctx.clock.now(),
    ...counts,
    ...(costMicroUsd === undefined ? {} : { costMicroUsd }),
  });
  const names = { run: item.runId, session: item.sessionId };
  ctx.emit({ type: 'run.ended', ...names, state, reason, output, totals });
  const { code, detail } = outcome;
  const more = { ...(code === undefined ? {} : { code }), ...(detail === undefined ? {} : { detail }) };
  return { ...names, state, ...more, reason, output, waiting };
}

/**
 * Hash of every file of the bundle, the journal included, by path within the run's folder. Written at once: the files
 * are small and not synced, and three trips to another thread for each cost more than they spare. With the encoding
 * named, Node writes a file in one call instead of three.
 */
function writeBundle(ctx: WorkerContext, { item, journal }: FinishInput): Record<string, Sha256> {
  const dir = ctx.home.runDir(item.tenant, item.runId);
  const files = bundleFiles(journal.all);
  if ([...files.keys()].some((name) => name.startsWith('tools/'))) fs.mkdirSync(path.join(dir, 'tools'), { recursive: true, mode: 0o700 });
  const hashes: Record<string, Sha256> = {};
  for (const [name, text] of files) fs.writeFileSync(path.join(dir, name), text, { encoding: 'utf8', mode: 0o600 });
  for (const [name, text] of [...files].toSorted(([a], [b]) => (a < b ? -1 : 1))) hashes[name] = sha256(text);
  hashes['journal.jsonl'] = journal.sha256();
  return hashes;
}
