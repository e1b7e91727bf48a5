import type { Clock } from '../contracts/clock.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { Sha256 } from '../contracts/json.ts';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { PolicySource } from '../contracts/policy.ts';
import type { AdmitContext } from '../control/admit.ts';
import type { Arrivals } from '../control/arrivals.ts';
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
import { openTenants, type Tenants } from '../state/tenants.ts';
import { openTurnEnd } from '../state/turn-end.ts';
import { openUsage } from '../state/usage.ts';
import { compileOptions } from '../worker/compile-options.ts';
import { loadAgent, type LoadedAgent } from '../worker/load-agent.ts';
import { policySourceOf } from '../worker/policy-sources.ts';
import { describeAgentTools } from './agent-tools.ts';
import type { App } from './app.ts';
import { perTenant } from './serve/per-tenant.ts';

export interface AdmissionParts {
  readonly home: Home;
  readonly database: Database;
  readonly queue: Queue;
  readonly clock: Clock;
  readonly log: Log;
  /** The installation as that tenant sees it. */
  readonly appOf: (tenant: TenantId) => Pick<App, 'config' | 'llm' | 'memo' | 'model' | 'policyFiles' | 'readings' | 'redactor'>;
  readonly maxDeliveries?: number;
  readonly metrics?: Metrics;
  readonly arrivals?: Arrivals;
  /** Default: opened here. */
  readonly tenants?: Tenants;
}

/** Everything that admission needs, on one installation. */
export function openAdmission(parts: AdmissionParts): AdmitContext {
  const { home, database, queue, clock, log, appOf, maxDeliveries, metrics, arrivals, tenants = openTenants(home) } = parts;
  return {
    clock,
    log,
    queue,
    tenants,
    usage: openUsage({ database, home, clock }),
    turns: openTurns(),
    stores: perTenant((tenant) => ({ runs: openRuns(database, tenant), sessions: openSessions(database, tenant) })),
    redact: async (tenant, text) => (await appOf(tenant).redactor()).text(text),
    prepare: preparer(parts),
    projects: async (tenant) => await readProjects(home, tenant),
    models: async (tenant, agent) => await modelChoices(parts, tenant, agent),
    ...(maxDeliveries === undefined ? {} : { maxDeliveries }),
    ...(metrics === undefined ? {} : { metrics }),
    ...(arrivals === undefined ? {} : { arrivals }),
  };
}

interface Prepared {
  readonly loaded: LoadedAgent;
  readonly above: readonly PolicySource[];
  readonly policy: Sha256;
}

/** Looks at the files each time, and compiles what they say once. */
function preparer({ home, clock, appOf }: AdmissionParts): AdmitContext['prepare'] {
  const prepared = new Map<string, Prepared>();
  const turnEnd = openTurnEnd();
  return async ({ tenant, agent, workspace, sinceMs }) => {
    // Requests that were read in one turn share the look at the files.
    await turnEnd();
    const app = appOf(tenant);
    const { memo, readings } = app;
    const loaded = await loadAgent(home, {
      tenant,
      agent,
      memo,
      readings,
      sinceMs,
      ...(workspace === undefined ? {} : { workspace, isRepo: true }),
    });
    const above = await app.policyFiles(sinceMs);
    const name = `${tenant}/${agent}/${workspace ?? ''}`;
    const known = prepared.get(name);
    // The same objects are the same texts: what is read anew is another one.
    if (known?.loaded === loaded && known.above === above) return known;
    const tools = await describeAgentTools(loaded, clock);
    const snapshot = compilePolicy([...above, policySourceOf(home, loaded)], { ...compileOptions(tools), agent: loaded.parsed });
    refuseLooserTenant(snapshot);
    const made = { loaded, above, policy: snapshot.hash };
    prepared.set(name, made);
    return made;
  };
}

async function modelChoices({ home, appOf }: AdmissionParts, tenant: TenantId, agent: AgentId): Promise<ModelChoices> {
  const app = appOf(tenant);
  const [loaded, config, llm] = await Promise.all([
    loadAgent(home, { tenant, agent, memo: app.memo, readings: app.readings }),
    app.config(),
    app.llm(),
  ]);
  const written = [loaded.config.model, config.model, ...Object.keys(llm?.models ?? {})];
  return {
    own: loaded.config.model ?? config.model,
    allowed: [...new Set(written.filter((model) => model !== undefined))],
    hasPrice: async (model) => (await app.model(model)).facts.hasPrice,
  };
}
