import * as z from 'zod/mini';
import { newRunId, type TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';
import { eachAgent, eachTenant, isOpen } from './runs/states-sql.ts';

/** Runs of one tenant. */
export interface RunCounts {
  readonly tenant: TenantId;
  /** Begun since the given time. */
  readonly started: number;
  /** Of those, failed. */
  readonly failed: number;
  readonly running: number;
  /** For a human. */
  readonly waiting: number;
}

const row = z.object({ tenant: z.string(), started: z.int(), failed: z.int(), running: z.int(), waiting: z.int() });

/** Counts by tenant. Ids sort by time, so what ended before `sinceMs` is not looked at; nor is what has not begun. */
export function countRuns(database: Database, sinceMs: number): RunCounts[] {
  const first = newRunId(sinceMs, new Uint8Array(16));
  const rows = database.all(
    `WITH RECURSIVE ${eachTenant('open_tenant', isOpen)}, ${eachAgent('open_place')}
     SELECT tenant, sum(started) AS started, sum(failed) AS failed, sum(running) AS running, sum(waiting) AS waiting FROM (
       SELECT tenant, 1 AS started, state = 'failed' AS failed, 0 AS running, 0 AS waiting FROM runs WHERE id >= ?
       UNION ALL SELECT tenant, 0, 0, 1, 0 FROM open_place CROSS JOIN runs USING (tenant, agent) WHERE state = 'running'
       UNION ALL SELECT tenant, 0, 0, 0, 1 FROM open_place CROSS JOIN runs USING (tenant, agent) WHERE state = 'waiting'
     ) GROUP BY tenant ORDER BY tenant`,
    first,
  );
  return rows.map((each) => row.parse(each) as RunCounts);
}
