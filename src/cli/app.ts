import type { RunEvent } from '../agent/run-events.ts';
import type { Approval } from '../contracts/approval.ts';
import type { ClawholdConfig, LlmConfig } from '../contracts/config.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { Memo } from '../contracts/memo.ts';
import type { ModelClient } from '../contracts/model.ts';
import type { PolicySource } from '../contracts/policy.ts';
import type { Broker } from './open-broker.ts';
import type { Sandboxes, SandboxSettings } from './sandboxes.ts';
import type { ApprovalSurface } from '../contracts/run.ts';
import type { Ledger } from '../governance/ledger.ts';
import type { Redactor } from '../governance/redact.ts';
import type { Secrets } from '../broker/secrets.ts';
import type { Approvals } from '../state/approvals.ts';
import type { Database } from '../state/database.ts';
import type { Home } from '../state/home.ts';
import type { Objects } from '../state/objects.ts';
import type { Readings } from '../state/readings.ts';
import type { Runs } from '../state/runs.ts';
import type { Sessions } from '../state/sessions.ts';
import type { McpOptions } from '../tools/mcp.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import type { WorkerContext } from '../worker/worker-context.ts';

export type Env = Readonly<Record<string, string | undefined>>;

/** How one command wants its runs to behave. */
export interface WorkerOptions {
  readonly emit: (event: RunEvent) => void;
  readonly surface: ApprovalSurface;
  readonly askTerminal?: (approval: Approval, signal: AbortSignal) => Promise<'approved' | 'denied' | undefined>;
}

/**
 * One installation, opened part by part: a command pays for what it uses. Everything opened is closed with it, in
 * reverse order.
 */
export interface App extends AsyncDisposable {
  readonly env: Env;
  readonly cwd: string;
  readonly tenant: TenantId;
  /** Where the signing key and other things of this user lie, outside every home and workspace. */
  readonly userDir: string;
  /** @throws FixRequestError when there is no home here. */
  home(): Promise<Home>;
  config(): Promise<ClawholdConfig>;
  llm(): Promise<LlmConfig | undefined>;
  database(): Promise<Database>;
  runs(): Promise<Runs>;
  approvals(): Promise<Approvals>;
  sessions(): Promise<Sessions>;
  ledger(): Promise<Ledger>;
  redactor(): Promise<Redactor>;
  /** What agents may use and never see. */
  secrets(): Promise<Secrets>;
  /** Gives runs the right to use one of them, for one request. */
  broker(): Promise<Broker>;
  policyFiles(sinceMs?: number): Promise<readonly PolicySource[]>;
  /** An agent's tools on its roots. */
  readonly openTools: WorkerContext['openTools'];
  /** The sandbox of one run; nothing is started yet. */
  readonly openSandbox: WorkerContext['openSandbox'];
  /** The drivers of this machine, for commands about them. */
  sandboxes(image?: SandboxSettings['image']): Promise<Sandboxes>;
  /** Starts the MCP servers of an agent in sandboxes, for a person who looks at one. */
  mcpStarter(agent: Pick<AgentRoots, 'id' | 'config'>): Promise<McpOptions['start']>;
  worker(options: WorkerOptions): Promise<WorkerContext>;
  readonly memo: Memo;
  readonly readings: Readings;
  objects(): Promise<(tenant: TenantId) => Objects>;
  /** The same client for the same name, with its connections. */
  model(ref: string | undefined): Promise<ModelClient>;
  /** Sentences about files that were repaired while opening. */
  readonly notices: string[];
}
