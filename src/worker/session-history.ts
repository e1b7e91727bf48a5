import fs from 'node:fs';
import path from 'node:path';
import type { AgentRun } from '../agent/run-context.ts';
import type { RunItem } from '../contracts/run.ts';
import type { WorkerContext } from './worker-context.ts';

const maxRuns = 20;
const maxCharacters = 64 * 1024;

/**
 * What was said before in the session: the inputs and outputs of its last runs, oldest first, at most 20 runs and
 * 64 Ki characters (the newest win), with every secret hidden that is known by now. Tool calls of earlier runs are not repeated: files hold their results.
 */
export async function sessionHistory(ctx: Pick<WorkerContext, 'runs' | 'home' | 'redactor'>, item: RunItem): Promise<AgentRun['history']> {
  const rows = ctx.runs.list({ tenant: item.tenant, session: item.sessionId, limit: maxRuns });
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
