import { randomUUID } from 'node:crypto';
import * as z from 'zod/mini';
import type { TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';

/** What the sandboxes of a tenant take together, or one of them takes. */
export interface SandboxUse {
  readonly sandboxes: number;
  /** Cores. */
  readonly cpu: number;
  readonly memoryMb: number;
}

export interface SandboxHoldRow {
  readonly id: string;
  readonly tenant: TenantId;
  readonly run: string;
  readonly cpu: number;
  readonly memoryMb: number;
  readonly untilMs: number;
}

/**
 * Who holds sandboxes, for all processes of a machine: a hold is a lease, so what a dead process held is free again when
 * it runs out.
 */
export interface SandboxHolds {
  /** Takes it if `fits` says so of what is held by others now; of two at once, one sees the other. */
  take(hold: Omit<SandboxHoldRow, 'id'>, nowMs: number, fits: (others: SandboxUse) => boolean): SandboxHoldRow | undefined;
  /** Also when it had run out: the sandbox is there. */
  extend(hold: SandboxHoldRow, untilMs: number): void;
  release(id: string): void;
  use(tenant: TenantId, nowMs: number): SandboxUse;
}

const useRow = z.object({ sandboxes: z.int(), cpu_milli: z.int(), memory_mb: z.int() });

export function openSandboxHolds(database: Database): SandboxHolds {
  const use: SandboxHolds['use'] = (tenant, nowMs) => {
    const row = database.get(
      `SELECT count(*) AS sandboxes, coalesce(sum(cpu_milli), 0) AS cpu_milli, coalesce(sum(memory_mb), 0) AS memory_mb
       FROM sandbox_holds WHERE tenant = ? AND until_ms > ?`,
      tenant,
      nowMs,
    );
    const { sandboxes, cpu_milli: cpuMilli, memory_mb: memoryMb } = useRow.parse(row);
    return { sandboxes, cpu: cpuMilli / 1000, memoryMb };
  };
  const write = ({ id, tenant, run, cpu, memoryMb, untilMs }: SandboxHoldRow): void =>
    void database.run(
      'INSERT OR REPLACE INTO sandbox_holds (id, tenant, run, cpu_milli, memory_mb, until_ms) VALUES (?, ?, ?, ?, ?, ?)',
      id,
      tenant,
      run,
      Math.ceil(cpu * 1000),
      Math.ceil(memoryMb),
      untilMs,
    );
  return {
    take: (hold, nowMs, fits) =>
      database.relaxed(() =>
        database.transact(() => {
          database.run('DELETE FROM sandbox_holds WHERE tenant = ? AND until_ms <= ?', hold.tenant, nowMs);
          if (!fits(use(hold.tenant, nowMs))) return undefined;
          const row = { ...hold, id: randomUUID() };
          write(row);
          return row;
        }),
      ),
    extend: (hold, untilMs) => database.relaxed(() => write({ ...hold, untilMs })),
    release: (id) => void database.relaxed(() => database.run('DELETE FROM sandbox_holds WHERE id = ?', id)),
    use,
  };
}
