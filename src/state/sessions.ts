import assert from 'node:assert/strict';
import * as z from 'zod/mini';
import type { AgentId, RunId, SessionId, TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';
import { whenRead } from '../contracts/when-read.ts';

/** A chain of runs of one agent that share a conversation. */
export interface SessionRow {
  readonly id: SessionId;
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly createdMs: number;
  readonly lastRun?: RunId;
}

export interface SessionFilter {
  readonly tenant: TenantId;
  readonly agent?: AgentId;
  readonly before?: SessionId;
  /** Default 50. */
  readonly limit?: number;
}

/** Of one tenant when opened for it: then a session of another is as unknown as one that never was. */
export interface Sessions {
  /**
   * Creating one that exists changes nothing. It survives a crash of the process; a power loss may undo it, and whoever
   * finishes a run of it makes it again.
   */
  create(row: SessionRow): void;
  setLastRun(id: SessionId, run: RunId): boolean;
  get(id: SessionId): SessionRow | undefined;
  /** Newest first. */
  list(filter: SessionFilter): SessionRow[];
  latest(tenant: TenantId, agent: AgentId): SessionRow | undefined;
}

const rowShape = whenRead(() =>
  z.object({ id: z.string(), tenant: z.string(), agent: z.string(), created_ms: z.int(), last_run: z.nullable(z.string()) }),
);

export function openSessions(database: Database, tenant?: TenantId): Sessions {
  const mine = tenant === undefined ? '' : ' AND tenant = ?';
  const owner = tenant === undefined ? [] : [tenant];
  const list = (filter: SessionFilter): SessionRow[] => {
    if (tenant !== undefined && filter.tenant !== tenant) return [];
    const agent = filter.agent === undefined ? '' : 'AND agent = ?';
    const before = filter.before === undefined ? '' : 'AND id < ?';
    const values = [filter.tenant, filter.agent, filter.before, filter.limit ?? 50].filter((value) => value !== undefined);
    return database.all(`SELECT * FROM sessions WHERE tenant = ? ${agent} ${before} ORDER BY id DESC LIMIT ?`, ...values).map(parseRow);
  };
  return {
    create: (row) => {
      assert.ok(tenant === undefined || row.tenant === tenant, `a session of tenant ${row.tenant} is written as one of ${tenant}`);
      database.relaxed(() =>
        database.run(
          'INSERT INTO sessions (id, tenant, agent, created_ms, last_run) VALUES (?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING',
          row.id,
          row.tenant,
          row.agent,
          row.createdMs,
          row.lastRun ?? null,
        ),
      );
    },
    setLastRun: (id, run) =>
      database.relaxed(() => database.run(`UPDATE sessions SET last_run = ? WHERE id = ?${mine}`, run, id, ...owner).changes === 1),
    get: (id) => {
      const row = database.get(`SELECT * FROM sessions WHERE id = ?${mine}`, id, ...owner);
      return row === undefined ? undefined : parseRow(row);
    },
    list,
    latest: (of, agent) => list({ tenant: of, agent, limit: 1 })[0],
  };
}

function parseRow(row: unknown): SessionRow {
  const { id, tenant, agent, created_ms: createdMs, last_run: lastRun } = rowShape.parse(row);
  return { id, tenant, agent, createdMs, ...(lastRun === null ? {} : { lastRun }) } as SessionRow;
}
