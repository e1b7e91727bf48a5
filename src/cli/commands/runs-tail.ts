import fs from 'node:fs/promises';
import path from 'node:path';
import type { JournalEntry } from '../../contracts/journal.ts';
import { terminalStates } from '../../contracts/run.ts';
import { makeVisible } from '../../governance/visible.ts';
import { readJournal } from '../../state/journal.ts';
import type { CommandContext } from '../command.ts';
import { findRun, liveState } from './find-run.ts';

const pollMs = 250;

/** Prints a run's journal as it grows, until the run ends or nobody works on it any more. */
export async function tailRun(context: CommandContext, id: string | undefined): Promise<void> {
  const { app, io } = context;
  const first = await findRun(context, id);
  const file = path.join((await app.home()).runDir(first.tenant, first.id), 'journal.jsonl');
  let seen = 0;
  let size = -1;
  while (!context.signal.aborted) {
    const row = await findRun(context, first.id);
    const state = await liveState(context, row);
    const now = (await fs.stat(file).catch(() => undefined))?.size ?? 0;
    if (now !== size) {
      const entries = await readJournal(file);
      for (const entry of entries.slice(seen)) io.out(io.isJson ? `${JSON.stringify(entry)}\n` : `${describe(entry)}\n`);
      seen = entries.length;
      size = now;
    }
    if (terminalStates.has(row.state) || state === 'waiting' || state === 'interrupted') {
      if (!io.isJson) io.err(`${row.id} is ${state}${row.reason === '' ? '' : `: ${makeVisible(row.reason)}`}\n`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, pollMs));
  }
}

function describe(entry: JournalEntry): string {
  switch (entry.kind) {
    case 'accepted':
      return `accepted  ${makeVisible(entry.item.input.slice(0, 200))}`;
    case 'model.answer':
      return `turn ${entry.turn}  ${makeVisible(entry.answer.text, { keepLines: true })}`;
    case 'decisions':
      return entry.calls
        .map(
          (call) =>
            `${call.callId} ${makeVisible(call.request.tool)} ${makeVisible(JSON.stringify(call.request.args).slice(0, 160))}  ${call.decision.verdict}`,
        )
        .join('\n');
    case 'result':
      return `${entry.callId} ${entry.result.isError ? (entry.result.code ?? 'error') : 'done'}  ${makeVisible(entry.result.text.split('\n', 1)[0] ?? '')}`;
    case 'end':
      return `end  ${entry.state}: ${makeVisible(entry.reason)}`;
    default:
      return entry.kind;
  }
}
