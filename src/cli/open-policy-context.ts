import path from 'node:path';
import { parseAgentId } from '../contracts/ids.ts';
import type { RecordedDecision } from '../governance/simulate.ts';
import { readJournal } from '../state/journal.ts';
import { describeCoreTools } from '../tools/tool-set.ts';
import { listAgents, loadAgent } from '../worker/load-agent.ts';
import { agentPolicySource } from '../worker/policy-sources.ts';
import type { CommandContext } from './command.ts';
import { findRun } from './commands/find-run.ts';
import type { PolicyContext, RecordedFilter } from './commands/policy-context.ts';
import { localUser } from './run-options.ts';

/** The installation as the policy commands see it. */
export async function openPolicyContext(context: CommandContext): Promise<PolicyContext> {
  const { app } = context;
  const home = await app.home();
  const load = async (agent: string) => await loadAgent(home, { tenant: app.tenant, agent: parseAgentId(agent) });
  return {
    tenant: app.tenant,
    principal: localUser(context),
    tools: describeCoreTools(),
    now: () => Date.now(),
    policyFiles: async () => await app.policyFiles(),
    agentIds: async () => (await listAgents(home, app.tenant)).map(parseAgentId),
    agentFile: async (agent) => await agentPolicySource(home, await load(agent)),
    resourcesOf: async (agent) => {
      await using tools = await app.openTools(await load(agent));
      return tools.resourcesOf;
    },
    sandboxOf: async (agent) => {
      const { inspectAgent } = await import('./inspect-agent.ts');
      return (await inspectAgent(app, agent)).sandbox;
    },
    recorded: (filter) => recordedDecisions(context, filter),
  };
}

/** The decided calls in the journals of the tenant's runs. */
async function* recordedDecisions(context: CommandContext, filter: RecordedFilter): AsyncGenerator<RecordedDecision> {
  const { app } = context;
  const home = await app.home();
  const runs = await app.runs();
  const rows =
    filter.run === undefined
      ? runs.list({ tenant: app.tenant, limit: 100_000, ...(filter.agent === undefined ? {} : { agent: filter.agent }) })
      : [await findRun(context, filter.run)];
  for (const row of rows) {
    const entries = await readJournal(path.join(home.runDir(row.tenant, row.id), 'journal.jsonl')).catch(missing);
    for (const entry of entries) {
      if (entry.kind !== 'decisions') continue;
      for (const { callId, request, decision } of entry.calls) yield { run: row.id, callId, request, decision };
    }
  }
}

/** A run that was pruned, or never began, has no journal: it decided nothing. */
function missing(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
