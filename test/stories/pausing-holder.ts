import { appendFileSync } from 'node:fs';
import { processEnv, wire } from '../../src/cli/wire.ts';
import { parseAgentId, parseRunId, parseSessionId } from '../../src/contracts/ids.ts';
import type { LedgerEvent } from '../../src/contracts/ledger.ts';
import type { ModelClient } from '../../src/contracts/model.ts';
import { taskIdOf } from '../../src/contracts/task.ts';
import type { Tool } from '../../src/contracts/tool.ts';
import type { Ledger } from '../../src/governance/ledger.ts';
import { startRun } from '../../src/worker/start-run.ts';
import type { OpenTools, WorkerContext } from '../../src/worker/worker-context.ts';
import { withSendTool } from './send-tool.ts';

/**
 * Works on a run by a lease that it believes in for ever, and stops itself (SIGSTOP) at one place:
 * `pausing-holder.ts RUN SESSION accepted|answer|intent|effect|end TOOL`. Writes to `holder` how it ended after it woke up.
 */
const [run = '', session = '', place, toolName] = process.argv.slice(2);

let hasPaused = false;

async function pauseAt(here: string | undefined): Promise<void> {
  if (here !== place || hasPaused) return;
  hasPaused = true;
  process.kill(process.pid, 'SIGSTOP');
  // The signal arrives at the next turn of the event loop at the latest.
  await new Promise((resolve) => setTimeout(resolve, 50));
}

function placeOf(event: LedgerEvent): string | undefined {
  if (event.type === 'run.start') return 'accepted';
  if (event.type === 'tool.intent' && event.tool === toolName) return 'intent';
  return event.type === 'run.end' ? 'end' : undefined;
}

function pausingLedger(ledger: Ledger): Ledger {
  const append: Ledger['append'] = async (event) => {
    if (event.type === 'run.end') await pauseAt('end');
    const position = await ledger.append(event);
    if (event.type !== 'run.end') await pauseAt(placeOf(event));
    return position;
  };
  return Object.assign(Object.create(ledger) as Ledger, { append, claimId: ledger.claimId });
}

function pausingTools(open: OpenTools): OpenTools {
  const pausing = (tool: Tool): Tool => {
    const perform: Tool['perform'] = async (args, options) => {
      if (tool.name === toolName) await pauseAt('effect');
      return await tool.perform(args, options);
    };
    return { ...tool, perform };
  };
  const tools = open.tools.tools.map(pausing);
  return { ...open, tools: { tools, get: (name) => tools.find((tool) => tool.name === name) } };
}

function pausingModel(model: ModelClient): ModelClient {
  const call: ModelClient['call'] = async (request, options) => {
    const answer = await model.call(request, options);
    await pauseAt('answer');
    return answer;
  };
  return { ...model, call };
}

await using app = wire({ env: processEnv(), cwd: process.cwd() });
const worker = await app.worker({ emit: () => {}, surface: 'deny' });
const ledger = pausingLedger(await app.ledger());
const context: WorkerContext = {
  ...worker,
  ledger: async () => ledger,
  openModel: async (ref) => pausingModel(await worker.openModel(ref)),
  openTools: async (agent) => pausingTools(withSendTool(await worker.openTools(agent), process.cwd())),
  lease: { task: taskIdOf(run), fence: 1, signal: new AbortController().signal, check: () => {} },
};
const outcome = await startRun(
  context,
  {
    kind: 'agent',
    runId: parseRunId(run),
    sessionId: parseSessionId(session),
    tenant: app.tenant,
    agent: parseAgentId('main'),
    door: 'http',
    principal: { kind: 'service', id: 'tester' },
    input: 'Send hi to ada, and write a.md.',
  },
  new AbortController().signal,
).then(
  ({ state }) => state,
  (error: { readonly code?: string; readonly message: string }) => error.code ?? error.message,
);
appendFileSync('holder', outcome);
