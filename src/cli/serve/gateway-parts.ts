import path from 'node:path';
import { systemClock } from '../../contracts/clock.ts';
import { ClawholdError, reasonOf } from '../../contracts/errors.ts';
import type { AgentId, TenantId } from '../../contracts/ids.ts';
import { admit, type AdmitContext } from '../../control/admit.ts';
import { listWorkflows, readWorkflow, startWorkflow } from '../../control/workflows.ts';
import { openWorkflows } from '../../state/workflows.ts';
import { admitResume } from '../../control/admit-resume.ts';
import { verifyLedger } from '../../governance/verify-ledger.ts';
import type { AgentsDoor, AgentSummary, BrokenAgent, GatewayContext } from '../../gateway/gateway-context.ts';
import { openApprovals } from '../../state/approvals.ts';
import { openKeptAnswers } from '../../state/kept-answers.ts';
import type { OpenRunFeed } from '../../state/run-feed.ts';
import { openRuns } from '../../state/runs.ts';
import { openSchedules } from '../../state/schedules.ts';
import { openSessions } from '../../state/sessions.ts';
import { openTokens, type Tokens } from '../../state/tokens.ts';
import { InvalidFileError } from '../../state/yaml-file.ts';
import type { Home } from '../../state/home.ts';
import { openUsage } from '../../state/usage.ts';
import { listAgents, loadAgent } from '../../worker/load-agent.ts';
import { buildId } from '../build-id.ts';
import { checkNotifyUrl, notifyRights } from '../open-notify-post.ts';
import { inspectAgent } from '../inspect-agent.ts';
import { askToStop } from '../stop-run.ts';
import { countRequests } from './count-requests.ts';
import type { Installation } from './open-installation.ts';
import { perTenant } from './per-tenant.ts';
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
  const { installation, admission, feed, log, metrics, tracer, queue } = parts;
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
    stores: perTenant((tenant) => ({
      runs: openRuns(database, tenant),
      sessions: openSessions(database, tenant),
      approvals: openApprovals(database, tenant),
    })),
    queue,
    projects: admission.projects,
    schedules: openSchedules(database),
    ...settings(installation),
    ledger: installation.ledgerOf,
    ...agentDoors(installation),
    feed,
    kept: openKeptAnswers(database),
    fireWebhook: serveWebhooks(parts),
    verifyLedger: async (tenant) => await verifyLedger(home.ledgerDir(tenant)),
    readiness: parts.readiness,
    metricsText: async () => await metrics.text(),
  };
}

function agentDoors(installation: Installation): Pick<GatewayContext, 'agents' | 'workflows'> {
  return { agents: agentsDoor(installation), workflows: workflowsDoor(installation) };
}

function workflowsDoor({ home, database, ledgerOf }: Installation): GatewayContext['workflows'] {
  const passages = openWorkflows(database);
  return {
    names: (tenant) => listWorkflows(home, tenant),
    read: async (tenant, name) => await readWorkflow(home, tenant, name),
    start: async (start) => await startWorkflow({ home, workflows: passages, clock: systemClock, ledger: ledgerOf }, start),
    passages,
  };
}

/** What the configuration says now. */
function settings({ appOf, config }: Installation): Pick<GatewayContext, 'approvals' | 'checkNotifyUrl'> {
  return {
    checkNotifyUrl: async (tenant, agent, url) =>
      await checkNotifyUrl(url, notifyRights(appOf(tenant), agent, config().egress?.loopback ?? [])),
    approvals: () => config().approvals,
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
  const summary = async (tenant: TenantId, agent: AgentId): Promise<AgentSummary> => {
    const { config } = await loadAgent(home, { tenant, agent });
    return { agent, description: config.description ?? '', grants: Object.keys(config.grants ?? {}) };
  };
  return {
    list: async (tenant) => {
      const names = (await listAgents(home, tenant)) as AgentId[];
      // silent-ok: a broken agent cannot be started, so it is not offered.
      const found = await Promise.all(names.map(async (name) => await summary(tenant, name).catch(() => undefined)));
      return found.filter((one) => one !== undefined);
    },
    show: async (tenant, agent) => {
      try {
        const app = appOf(tenant);
        const [short, facts] = [await summary(tenant, agent), await inspectAgent(app, agent)];
        const model = facts.config.model ?? (await app.config()).model ?? null;
        return { ...short, model, tools: facts.tools, promptBytes: facts.promptBytes };
      } catch (error) {
        return brokenAgent(home, error, agent);
      }
    },
  };
}

/** Its files are named as they lie in the home. @throws the error when it is no mistake in a file. */
function brokenAgent(home: Home, error: unknown, agent: AgentId): BrokenAgent | undefined {
  if (!(error instanceof ClawholdError) || error.remedy !== 'fix-request') throw error;
  if (error.code === 'worker.unknown-agent') return undefined;
  const isPlatforms = error instanceof InvalidFileError && error.file.startsWith('policies/');
  return { agent, isPlatforms, why: reasonOf(error).replaceAll(home.dir + path.sep, '') };
}
