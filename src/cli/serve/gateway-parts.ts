import { systemClock } from '../../contracts/clock.ts';
import type { AgentId, TenantId } from '../../contracts/ids.ts';
import { admit, type AdmitContext } from '../../control/admit.ts';
import { admitResume } from '../../control/admit-resume.ts';
import { verifyLedger } from '../../governance/verify-ledger.ts';
import type { AgentsDoor, AgentSummary, GatewayContext } from '../../gateway/gateway-context.ts';
import { openApprovals } from '../../state/approvals.ts';
import { openKeptAnswers } from '../../state/kept-answers.ts';
import type { OpenRunFeed } from '../../state/run-feed.ts';
import { openRuns } from '../../state/runs.ts';
import { openSchedules } from '../../state/schedules.ts';
import { openSessions } from '../../state/sessions.ts';
import { openTokens, type Tokens } from '../../state/tokens.ts';
import { openUsage } from '../../state/usage.ts';
import { listAgents, loadAgent } from '../../worker/load-agent.ts';
import { buildId } from '../build-id.ts';
import { checkNotifyUrl } from '../open-notify-post.ts';
import { inspectAgent } from '../inspect-agent.ts';
import { askToStop } from '../stop-run.ts';
import { countRequests } from './count-requests.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';
import { serveWebhooks } from './webhook-parts.ts';

export interface GatewayParts extends ServeTools {
  readonly installation: Installation;
  readonly admission: AdmitContext;
  readonly feed: OpenRunFeed;
  readonly listen: GatewayContext['serve'];
  readonly readiness: GatewayContext['readiness'];
}

/** Everything that the gateway needs, on one installation. */
export function gatewayContext(parts: GatewayParts): GatewayContext {
  const { installation, feed, log, metrics, tracer, queue } = parts;
  const { home, database, tenants } = installation;
  const tokens = openTokens(database);
  return {
    serve: parts.listen,
    build: buildId(),
    home,
    clock: systemClock,
    log,
    tracer,
    metrics,
    authenticate: authenticator(installation, tokens),
    tenants,
    tokens,
    ...orchestrator(parts),
    stopRun: async (principal, id) => {
      const runs = openRuns(database, principal.tenant);
      const row = runs.get(id);
      return row === undefined ? 'not-running' : await askToStop({ home, runs, queue, nowMs: systemClock.now() }, row);
    },
    stores: (tenant) => ({
      runs: openRuns(database, tenant),
      sessions: openSessions(database, tenant),
      approvals: openApprovals(database, tenant),
    }),
    queue,
    schedules: openSchedules(database),
    checkNotifyUrl: async (url) => await checkNotifyUrl(url, installation.config().egress?.loopback ?? []),
    ledger: installation.ledgerOf,
    agents: agentsDoor(installation),
    feed,
    kept: openKeptAnswers(database),
    fireWebhook: serveWebhooks(parts),
    verifyLedger: async (tenant) => await verifyLedger(home.ledgerDir(tenant)),
    readiness: parts.readiness,
    metricsText: async () => await metrics.text(),
  };
}

/** Where traces are sent, admission is a step of its own between the gateway's and the executor's. */
function orchestrator({ admission, tracer, isTracing }: GatewayParts): Pick<GatewayContext, 'admit' | 'resume'> {
  if (!isTracing)
    return {
      admit: async (principal, request) => await admit(admission, principal, request),
      resume: async (principal, request) => await admitResume(admission, principal, request),
    };
  const inStep = async <R extends { readonly traceparent?: string }, A>(request: R, work: (request: R) => Promise<A>): Promise<A> =>
    await tracer.inSpan(
      'orchestrator.admit',
      { parent: request.traceparent },
      async ({ traceparent }) => await work({ ...request, traceparent }),
    );
  return {
    admit: async (principal, request) => await inStep(request, async (traced) => await admit(admission, principal, traced)),
    resume: async (principal, request) => await inStep(request, async (traced) => await admitResume(admission, principal, traced)),
  };
}

function authenticator({ database, home }: Installation, tokens: Tokens): GatewayContext['authenticate'] {
  const usage = openUsage({ database, home, clock: systemClock });
  return countRequests({ clock: systemClock, usage }, (secret, nowMs) => tokens.authenticate(secret, nowMs));
}

/** An agent whose files are wrong is not listed: whoever repairs it sees why with "clawhold agents validate". */
function agentsDoor({ home, appOf }: Installation): AgentsDoor {
  const summary = async (tenant: TenantId, agent: AgentId): Promise<AgentSummary | undefined> => {
    // silent-ok: a broken agent cannot be started, so it is not offered.
    const loaded = await loadAgent(home, { tenant, agent }).catch(() => undefined);
    if (loaded === undefined) return undefined;
    return { agent, description: loaded.config.description ?? '', grants: Object.keys(loaded.config.grants ?? {}) };
  };
  return {
    list: async (tenant) => {
      const names = (await listAgents(home, tenant)) as AgentId[];
      return (await Promise.all(names.map(async (name) => await summary(tenant, name)))).filter((one) => one !== undefined);
    },
    show: async (tenant, agent) => {
      const short = await summary(tenant, agent);
      if (short === undefined) return undefined;
      const app = appOf(tenant);
      const facts = await inspectAgent(app, agent);
      const model = facts.config.model ?? (await app.config()).model ?? null;
      return { ...short, model, tools: facts.tools, promptBytes: facts.promptBytes };
    },
  };
}
