import type { Clock } from '../contracts/clock.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { Log } from '../contracts/log.ts';
import { createMemo } from '../contracts/memo.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { AdmitContext } from '../control/admit.ts';
import type { ModelChoices } from '../control/request-model.ts';
import { readProjects } from '../control/projects.ts';
import { openTurns } from '../control/turns.ts';
import { refuseLooserTenant } from '../governance/looser-rules.ts';
import { compilePolicy } from '../governance/policy-snapshot.ts';
import type { Database } from '../state/database.ts';
import type { Home } from '../state/home.ts';
import type { Queue } from '../state/queue.ts';
import { openRuns } from '../state/runs.ts';
import { openSessions } from '../state/sessions.ts';
import { openTenants } from '../state/tenants.ts';
import { openUsage } from '../state/usage.ts';
import { compileOptions } from '../worker/compile-options.ts';
import { loadAgent } from '../worker/load-agent.ts';
import { agentPolicySource } from '../worker/policy-sources.ts';
import { describeAgentTools } from './agent-tools.ts';
import type { App } from './app.ts';

export interface AdmissionParts {
  readonly home: Home;
  readonly database: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Log;
  /** The installation as that tenant sees it. */
  readonly appOf: (tenant: TenantId) => Pick<App, 'config' | 'llm' | 'model' | 'policyFiles' | 'redactor'>;
  readonly maxDeliveries?: number;
  readonly metrics?: Metrics;
}

/** Everything that admission needs, on one installation. */
export function openAdmission(parts: AdmissionParts): AdmitContext {
  const { home, database, queue, clock, log, appOf, maxDeliveries, metrics } = parts;
  return {
    clock,
    log,
    queue,
    tenants: openTenants(home),
    usage: openUsage({ database, home, clock }),
    turns: openTurns(),
    stores: (tenant) => ({ runs: openRuns(database, tenant), sessions: openSessions(database, tenant) }),
    redact: async (tenant, text) => (await appOf(tenant).redactor()).text(text),
    prepare: preparer(parts),
    projects: async (tenant) => await readProjects(home, tenant),
    models: async (tenant, agent) => await modelChoices(parts, tenant, agent),
    ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
    ...(metrics === undefined ? {} : { metrics }),
  };
}

/** Reads the files each time, and compiles what they say once. */
function preparer({ home, clock, appOf }: AdmissionParts): AdmitContext['prepare'] {
  const memo = createMemo();
  const compiled = new Map<string, { readonly texts: string; readonly policy: Sha256 }>();
  return async (tenant: TenantId, agent: AgentId, workspace?: string) => {
    const loaded = await loadAgent(home, { tenant, agent, memo, ...(workspace === undefined ? {} : { workspace }) });
    const sources = [...(await appOf(tenant).policyFiles()), await agentPolicySource(home, loaded)];
    const texts = JSON.stringify([sources, loaded.mcp ?? null]);
    const name = `${tenant}/${agent}`;
    const known = compiled.get(name);
    if (known?.texts === texts) return { policy: known.policy };
    const tools = await describeAgentTools(loaded, clock);
    const snapshot = compilePolicy(sources, { ...compileOptions(tools), agent: loaded.parsed });
    refuseLooserTenant(snapshot);
    const policy = snapshot.hash;
    compiled.set(name, { texts, policy });
    return { policy };
  };
}

async function modelChoices({ home, appOf }: AdmissionParts, tenant: TenantId, agent: AgentId): Promise<ModelChoices> {
  const app = appOf(tenant);
  const [loaded, config, llm] = await Promise.all([loadAgent(home, { tenant, agent }), app.config(), app.llm()]);
  const written = [loaded.config.model, config.model, ...Object.keys(llm?.models ?? {})];
  return {
    own: loaded.config.model ?? config.model,
    allowed: [...new Set(written.filter((model) => model !== undefined))],
    hasPrice: async (model) => (await app.model(model)).facts.hasPrice,
  };
}
