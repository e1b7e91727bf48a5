import fs from 'node:fs';
import path from 'node:path';
import { reasonOf } from '../contracts/errors.ts';
import type { TenantId } from '../contracts/ids.ts';
import { defaultUsdPerDay, type Quotas } from '../contracts/tenant.ts';
import { countRuns, type RunCounts } from '../state/count-runs.ts';
import { openDatabaseForReading, type Database } from '../state/database.ts';
import type { Home } from '../state/home.ts';
import { inspectQueue } from '../state/inspect-queue.ts';
import type { QueueCounts } from '../state/queue.ts';
import { openRuns, type RunRow } from '../state/runs.ts';
import { readServeState } from '../state/serve-file.ts';
import { openTenants, type Tenants } from '../state/tenants.ts';
import { openUsage } from '../state/usage.ts';
import { sandboxTenants } from './sandbox-tenants.ts';
import { conditionsOf } from './status/conditions.ts';

export interface ServerStatus {
  readonly state: 'ready' | 'not-ready' | 'not-running';
  readonly url?: string;
  readonly pid?: number;
  readonly startedMs?: number;
  /** Why it is not ready. */
  readonly why?: string;
}

/** Who works on tasks. */
export interface ExecutorStatus {
  /** Tasks that they hold now. */
  readonly busy: number;
  /** Tasks that they may hold; absent: no server says. */
  readonly slots?: number;
  /** Child processes; none: the server does it itself. */
  readonly pids: readonly number[];
}

export interface TenantStatus {
  readonly tenant: TenantId;
  readonly state: 'active' | 'suspended' | 'invalid';
  readonly ready: number;
  /** In the hands of executors. */
  readonly leased: number;
  readonly scheduled: number;
  readonly dead: number;
  readonly running: number;
  readonly waiting: number;
  readonly startedToday: number;
  readonly failedToday: number;
  readonly usdToday: number;
  readonly usdPerDay: number;
  readonly quotas: Quotas;
  readonly sandboxes: number;
  /** Sentences about what is wrong with it now. */
  readonly conditions: readonly string[];
}

export interface StatusReport {
  readonly atMs: number;
  readonly home: string;
  readonly server: ServerStatus;
  readonly executors: ExecutorStatus;
  readonly tenants: readonly TenantStatus[];
  /** Under way now, newest first, at most 20. */
  readonly runs: readonly RunRow[];
}

export interface StatusContext {
  readonly home: Home;
  readonly nowMs: number;
  readonly runtimeDir: string;
  /** Absent: every tenant. */
  readonly tenant?: TenantId;
  readonly get: (url: string) => Promise<{ readonly status: number; readonly text: string }>;
}

/** What happens on a home now: read from its files and databases, beside whoever works on them, without changing any. */
export async function readStatus(context: StatusContext): Promise<StatusReport> {
  const { home, nowMs, runtimeDir, tenant } = context;
  const tenants = openTenants(home);
  const queued = inspectQueue(path.join(home.dir, 'queue.db'));
  using database = fs.existsSync(home.databaseFile) ? openDatabaseForReading(home.databaseFile) : undefined;
  const live = database === undefined ? new Map<string, number>() : await sandboxTenants(runtimeDir, openRuns(database));
  const counts = database === undefined ? [] : countRuns(database, Math.floor(nowMs / dayMs) * dayMs);
  const parts = { tenants, queued, counts, live, nowMs, spent: spentBy(home, nowMs, database) };
  const shown = tenants.list().filter((id) => tenant === undefined || id === tenant);
  const filter = { state: 'running', limit: 20, ...(tenant === undefined ? {} : { tenant }) } as const;
  return {
    atMs: nowMs,
    home: home.dir,
    server: await serverStatus(context),
    executors: executorStatus(home, queued),
    tenants: shown.map((id) => tenantStatus(id, parts)),
    runs: database === undefined ? [] : openRuns(database).list(filter),
  };
}

const dayMs = 86_400_000;

async function serverStatus({ home, get }: StatusContext): Promise<ServerStatus> {
  const { isAlive, facts } = readServeState(home.dir);
  if (!isAlive) return { state: 'not-running' };
  if (facts === undefined) return { state: 'not-ready', why: 'it has not said yet where it listens' };
  const { url, pid, startedMs } = facts;
  try {
    const { status, text } = await get(`${url}/readyz`);
    if (status === 200) return { state: 'ready', url, pid, startedMs };
    return { state: 'not-ready', url, pid, startedMs, why: text.slice(0, 200) };
  } catch (error) {
    return { state: 'not-ready', url, pid, startedMs, why: reasonOf(error) };
  }
}

/** What a dead server's executors held is nobody's once its leases have run out. */
function executorStatus(home: Home, queued: readonly QueueCounts[]): ExecutorStatus {
  const { isAlive, facts } = readServeState(home.dir);
  const busy = queued.reduce((total, { leased }) => total + leased, 0);
  if (!isAlive || facts === undefined) return { busy, pids: [] };
  const { executorSlots: slots, executorPids: pids = [] } = facts;
  return { busy, ...(slots === undefined ? {} : { slots }), pids };
}

interface Parts {
  readonly tenants: Tenants;
  readonly queued: readonly QueueCounts[];
  readonly counts: readonly RunCounts[];
  readonly live: ReadonlyMap<string, number>;
  readonly nowMs: number;
  readonly spent: (tenant: TenantId) => number;
}

function tenantStatus(tenant: TenantId, { tenants, queued, counts, live, nowMs, spent }: Parts): TenantStatus {
  const own = queued.filter((row) => row.tenant === tenant);
  const sum = (of: 'ready' | 'leased' | 'scheduled' | 'dead'): number => own.reduce((total, row) => total + row[of], 0);
  const runs = counts.find((row) => row.tenant === tenant);
  const { state, quotas, problem } = configOf(tenants, tenant);
  const found = {
    tenant,
    state,
    ready: sum('ready'),
    leased: sum('leased'),
    scheduled: sum('scheduled'),
    dead: sum('dead'),
    running: runs?.running ?? 0,
    waiting: runs?.waiting ?? 0,
    startedToday: runs?.started ?? 0,
    failedToday: runs?.failed ?? 0,
    usdToday: spent(tenant),
    usdPerDay: quotas.usdPerDay ?? defaultUsdPerDay,
    quotas,
    sandboxes: live.get(tenant) ?? 0,
  };
  return { ...found, conditions: conditionsOf(found, { queued: own, nowMs, problem }) };
}

function configOf(tenants: Tenants, tenant: TenantId): Pick<TenantStatus, 'state' | 'quotas'> & { readonly problem: string | undefined } {
  try {
    const { config, isActive } = tenants.existing(tenant);
    return { state: isActive ? 'active' : 'suspended', quotas: config.quotas ?? {}, problem: undefined };
  } catch (error) {
    return { state: 'invalid', quotas: {}, problem: reasonOf(error) };
  }
}

function spentBy(home: Home, nowMs: number, database: Database | undefined): (tenant: TenantId) => number {
  if (database === undefined) return () => 0;
  const usage = openUsage({ database, home, clock: { now: () => nowMs } });
  return (tenant) => {
    try {
      return usage.costMicroUsd(tenant, nowMs) / 1e6;
    } catch {
      // silent-ok: a database that was not brought up to date yet knows of no money.
      return 0;
    }
  };
}
