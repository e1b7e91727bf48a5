import path from 'node:path';
import type { JournalEntry } from '../../contracts/journal.ts';
import { makeVisible } from '../../governance/visible.ts';
import { readJournal } from '../../state/journal.ts';
import { describeTotals } from '../describe-totals.ts';
import { printResult, type CommandContext } from '../command.ts';
import { changesOf, diffOfChanges } from './runs-changes.ts';
import { findRun, liveState } from './find-run.ts';

/** One run as its record tells it. */
export async function showRun(context: CommandContext, id: string | undefined, hasDiff: boolean): Promise<void> {
  const { app, io } = context;
  const row = await findRun(context, id);
  const dir = (await app.home()).runDir(row.tenant, row.id);
  const entries = await readJournal(path.join(dir, 'journal.jsonl'));
  const state = await liveState(context, row);
  if (hasDiff) {
    const diff = await diffOfChanges(context, row, changesOf(entries));
    printResult(io, { run: row.id, diff }, diff === '' ? 'This run changed no file.' : makeVisible(diff, { keepLines: true }));
    return;
  }
  const end = entries.findLast((entry) => entry.kind === 'end');
  const output = end?.output ?? '';
  const calls = callsOf(entries);
  const lines = [
    `${io.color.bold(row.id)}  ${state}${row.reason === '' ? '' : `: ${makeVisible(row.reason)}`}`,
    `agent ${row.agent}  session ${row.session}  model ${row.model}  door ${row.door}`,
    `started ${new Date(row.createdMs).toISOString()}${row.endedMs === undefined ? '' : `, took ${((row.endedMs - row.createdMs) / 1000).toFixed(2)} s`}`,
    describeTotals(row),
    `record ${dir}`,
    '',
    `${io.color.bold('>')} ${makeVisible(row.inputPreview)}`,
    ...calls.map((call) => callLine(io, call)),
    '',
    makeVisible(output, { keepLines: true }),
  ];
  printResult(io, { run: { ...row, state }, calls, output, dir }, lines.join('\n'));
}

function callLine({ color }: CommandContext['io'], call: ShownCall): string {
  const paint = call.verdict === 'allow' ? color.green : call.verdict === 'ask' ? color.yellow : color.red;
  const isTold = call.verdict === 'allow' && call.outcome !== undefined;
  const outcome = call.outcome === undefined || call.outcome === 'policy.denied' ? '' : `, ${call.outcome}`;
  const line = `  ${call.call} ${makeVisible(call.tool)} ${makeVisible(call.args)}  ${paint(call.verdict)}${outcome}`;
  return isTold ? line : `${line}\n      ${color.dim(makeVisible(call.reason))}`;
}

interface ShownCall {
  readonly call: string;
  readonly tool: string;
  readonly args: string;
  readonly verdict: string;
  readonly reason: string;
  readonly outcome?: string;
}

function callsOf(entries: readonly JournalEntry[]): ShownCall[] {
  const calls = new Map<string, ShownCall>();
  for (const entry of entries) {
    if (entry.kind === 'decisions') {
      for (const { callId, request, decision } of entry.calls) {
        const args = JSON.stringify(request.args);
        calls.set(callId, {
          call: callId,
          tool: request.tool,
          args: args.length > 120 ? `${args.slice(0, 120)}…` : args,
          verdict: decision.verdict,
          reason: decision.reason,
        });
      }
    }
    if (entry.kind === 'result') {
      const call = calls.get(entry.callId);
      if (call !== undefined) calls.set(entry.callId, { ...call, outcome: entry.result.isError ? (entry.result.code ?? 'error') : 'done' });
    }
  }
  return [...calls.values()];
}
