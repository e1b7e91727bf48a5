import type { Admission, RunRequest } from '../contracts/admission.ts';
import type { Clock } from '../contracts/clock.ts';
import type { AgentId, ApprovalId, RunId, TenantId } from '../contracts/ids.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import type { Log } from '../contracts/log.ts';
import type { Metrics } from '../contracts/metrics.ts';
import type { Project } from '../contracts/project.ts';
import type { Principal } from '../contracts/principal.ts';
import type { ServeConfig } from '../contracts/serve-config.ts';
import type { Tracer } from '../contracts/trace.ts';
import type { WorkflowFile } from '../contracts/workflow.ts';
import type { WorkflowStart } from '../control/workflows.ts';
import type { Workflows, WorkflowRow } from '../state/workflows.ts';
import type { WebhookAnswer, WebhookCall } from '../control/webhook.ts';
import type { VerifyReport } from '../governance/verify-ledger.ts';
import type { Approvals } from '../state/approvals.ts';
import type { Home } from '../state/home.ts';
import type { KeptAnswers } from '../state/kept-answers.ts';
import type { Queue } from '../state/queue.ts';
import type { OpenRunFeed } from '../state/run-feed.ts';
import type { Runs } from '../state/runs.ts';
import type { Schedules } from '../state/schedules.ts';
import type { Sessions } from '../state/sessions.ts';
import type { Tenants } from '../state/tenants.ts';
import type { Tokens } from '../state/tokens.ts';

/** What is shown of an agent. No path of this machine is in it. */
export interface AgentSummary {
  readonly agent: AgentId;
  readonly description: string;
  /** Names of granted tools. */
  readonly grants: readonly string[];
}

export interface AgentDetails extends AgentSummary {
  /** As `provider/name`; null when neither the agent nor the configuration names one. */
  readonly model: string | null;
  /** Tools that the model is offered. */
  readonly tools: readonly string[];
  readonly promptBytes: number;
}

/** An agent that could not start; `why` names files and lines, and is for operators of the platform. */
export interface BrokenAgent {
  readonly agent: AgentId;
  /** What is wrong is the platform's policy, and no file of the tenant. */
  readonly isPlatforms: boolean;
  readonly why: string;
}

export interface AgentsDoor {
  list(tenant: TenantId): Promise<readonly AgentSummary[]>;
  /** Undefined when the tenant has no such agent. */
  show(tenant: TenantId, agent: AgentId): Promise<AgentDetails | BrokenAgent | undefined>;
}

export interface WorkflowsDoor {
  /** Of files that are there, whether right or wrong. */
  names(tenant: TenantId): readonly string[];
  /** @throws FixRequestError when there is none, or its file is wrong. */
  read(tenant: TenantId, name: string): Promise<WorkflowFile>;
  /** The same key gives the same passage. */
  start(start: WorkflowStart): Promise<WorkflowRow>;
  readonly passages: Pick<Workflows, 'get' | 'list'>;
}

/** What became of a wish to stop a run. */
export type StopOutcome =
  /** Whoever works on it ends it after its current step. */
  | 'asked'
  /** Nobody had begun: it is cancelled. */
  | 'cancelled'
  /** It had ended before, or waits for a human. */
  | 'not-running';

/** One thing that the installation needs; `why` goes to the log, only `name` to whoever asks. */
export interface ReadinessCheck {
  readonly name: string;
  readonly isReady: boolean;
  readonly why?: string;
}

/** Bounds that hold before any quota; all have a default. */
export interface GatewayLimits {
  /** Requests of one principal. Default 120,000 a minute. */
  readonly principalPerMinute?: number;
  /** Wrong or missing tokens from one address. Default 60 a minute. */
  readonly failuresPerMinute?: number;
  /** Requests from one address to what needs no token. Default 6,000 a minute. */
  readonly publicPerMinute?: number;
  /** Sockets at once. Default 8192. */
  readonly maxConnections?: number;
  /** Until all headers, and until the whole request, are there. Defaults 10 s and 30 s. */
  readonly headersMs?: number;
  readonly requestMs?: number;
  /** A socket on which nothing moves in either direction. Default 60 s. */
  readonly idleMs?: number;
  /** Between comments on a stream of events. Default 15 s. */
  readonly heartbeatMs?: number;
  /** Bytes that a listener may leave unread before it is dropped. Default 256 KiB. */
  readonly maxUnreadBytes?: number;
}

export interface TenantStores {
  readonly runs: Pick<Runs, 'get' | 'list' | 'takeOver'>;
  readonly sessions: Pick<Sessions, 'get' | 'list'>;
  readonly approvals: Pick<Approvals, 'get' | 'list' | 'answer'>;
}

/** What the gateway needs of an installation; the wiring fills it. Where a tenant matters, it is an argument. */
export interface GatewayContext {
  readonly serve: Pick<ServeConfig, 'host' | 'port' | 'hosts'>;
  readonly limits?: GatewayLimits;
  /** Version and commit of this program. */
  readonly build: string;
  readonly home: Pick<Home, 'runDir' | 'ledgerDir'>;
  readonly clock: Clock;
  readonly log: Log;
  readonly tracer: Tracer;
  readonly metrics: Metrics;
  readonly authenticate: (secret: string, nowMs: number) => Principal | undefined;
  /** Also their quotas, of which `requestsPerMinute` is held here. */
  readonly tenants: Pick<Tenants, 'get' | 'list'>;
  readonly tokens: Pick<Tokens, 'add' | 'get' | 'list' | 'prepare' | 'revoke' | 'rotate'>;
  readonly admit: (principal: Principal, request: RunRequest) => Promise<Admission>;
  /** Puts a run that stopped on the queue again. */
  readonly resume: (
    principal: Principal,
    run: { readonly run: RunId; readonly approval?: ApprovalId; readonly traceparent?: string },
  ) => Promise<Admission>;
  readonly stopRun: (principal: Principal, run: RunId) => Promise<StopOutcome>;
  /** Opened for that tenant alone: another's rows are not there. */
  readonly stores: (tenant: TenantId) => TenantStores;
  readonly queue: Pick<Queue, 'counts' | 'get' | 'list' | 'requeue' | 'pause' | 'resume'>;
  /** As platform and tenant list them now. @throws FixRequestError when a file is wrong. */
  readonly projects: (tenant: TenantId) => Promise<readonly Project[]>;
  readonly workflows: WorkflowsDoor;
  readonly schedules: Schedules;
  /** @throws FixRequestError when nothing of that agent may be sent there. */
  readonly checkNotifyUrl: (tenant: TenantId, agent: AgentId, url: string) => Promise<void>;
  /** Whether a question must be answered by another person than who asked for the run. */
  readonly approvals?: () => { readonly distinctApprover?: boolean | undefined } | undefined;
  readonly ledger: (tenant: TenantId) => Promise<LedgerWriter>;
  readonly agents: AgentsDoor;
  readonly feed: OpenRunFeed;
  readonly kept: KeptAnswers;
  readonly verifyLedger: (tenant: TenantId) => Promise<VerifyReport>;
  /** Absent: there are no webhooks, and every call is refused. */
  readonly fireWebhook?: (call: WebhookCall) => Promise<WebhookAnswer>;
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
  /** In Prometheus' text format. */
  readonly metricsText: () => Promise<string>;
}
