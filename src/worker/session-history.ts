import fs from 'node:fs';
import path from 'node:path';
import type { AgentRun } from '../agent/run-context.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { RunItem } from '../contracts/run.ts';
import { isClaimAlive } from '../governance/ledger.ts';
import type { SessionRun } from '../state/runs.ts';
import type { WorkerContext } from './worker-context.ts';

const maxRuns = 20;
const maxCharacters = 64 * 1024;

type SessionContext = Pick<WorkerContext, 'runs' | 'home' | 'redactor'>;

/**
 * What was said before in the session: the inputs and outputs of its last runs, oldest first, at most 20 runs and
 * 64 Ki characters (the newest win), with every secret hidden that is known by now. Tool calls of earlier runs are not
 * repeated: files hold their results.
 * @throws FixRequestError when another run of it is at work: two at once would each miss what the other said.
 */
export function sessionHistory(ctx: SessionContext, item: RunItem): AgentRun['history'] {
  const { tenant, sessionId: session } = item;
  const rows = ctx.runs.ofSession(session, maxRuns);
  refuseBusySession(ctx, item, rows.length < maxRuns ? rows : ctx.runs.list({ tenant, session, state: 'running', limit: 10 }));
  return historyOf(ctx, item, rows);
}

/** @param rows all runs of the session that may be at work. */
function refuseBusySession({ home }: SessionContext, { tenant, sessionId: session, runId }: RunItem, rows: readonly SessionRun[]): void {
  for (const { id, state, owner } of rows) {
    if (state !== 'running' || id === runId || owner === undefined || !isClaimAlive(home.ledgerDir(tenant), owner)) continue;
    throw new FixRequestError(
      'worker.session-busy',
      `Session ${session} is at work in run ${id}. Wait until it ends (clawhold runs tail ${id}), or begin a new session.`,
    );
  }
}

function historyOf(ctx: SessionContext, item: RunItem, rows: readonly SessionRun[]): AgentRun['history'] {
  const history: AgentRun['history'][number][] = [];
  let left = maxCharacters;
  for (const row of rows) {
    if (row.id === item.runId || (row.state !== 'done' && row.state !== 'limited')) continue;
    const dir = ctx.home.runDir(item.tenant, row.id);
    const said = ['input.md', 'output.md'].map((name) => readIfThere(path.join(dir, name)));
    const [input, output] = said.map((text) => (text === undefined ? undefined : ctx.redactor.text(text.replace(/\n$/, ''))));
    if (input === undefined || output === undefined || input.length + output.length > left) break;
    left -= input.length + output.length;
    history.unshift({ role: 'user', text: input, run: row.id }, { role: 'assistant', text: output, run: row.id });
  }
  return history;
}

function readIfThere(file: string): string | undefined {
  try {
    return fs.readFileSync(file, 'utf8');
  } catch {
    // silent-ok: a run whose folder was pruned is left out of the conversation.
    return undefined;
  }
}
