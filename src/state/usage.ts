import fs from 'node:fs';
import path from 'node:path';
import * as z from 'zod/mini';
import type { Clock } from '../contracts/clock.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';
import type { Home } from './home.ts';
import { whenRead } from '../contracts/when-read.ts';

export interface StorageUse {
  readonly bytes: number;
  readonly measuredMs: number;
}

/**
 * What tenants have used.
 *
 * Money is kept by triggers on the table of runs, in the transaction that writes a run's cost, on the day on which it
 * ended (UTC); so it can be neither forgotten nor counted twice, and pruned runs stay counted. Storage is measured by
 * walking the tenant's folder, for at most a twentieth of the time.
 */
export interface Usage {
  /** Spent on models in the UTC day of `nowMs`: millionths of a US dollar. */
  costMicroUsd(tenant: TenantId, nowMs: number): number;
  /** Requests of that day, as far as doors have told. */
  requests(tenant: TenantId, nowMs: number): number;
  /** Doors count in memory and tell sums now and then: a loss of the last seconds is borne. */
  addRequests(tenant: TenantId, count: number, nowMs: number): void;
  /** The last measure; an old one is renewed behind the caller's back, and only the first ever is waited for. */
  storage(tenant: TenantId): Promise<StorageUse>;
  /** A fresh one. */
  measureStorage(tenant: TenantId): Promise<StorageUse>;
}

const dayMs = 86_400_000;
const freshMs = 30_000;
/** Of all time, this part may be spent on walking. */
const walkPart = 20;

/** When the last walk ended, and how long none follows. */
interface Rest {
  readonly sinceMs: number;
  readonly forMs: number;
}

const storageRow = whenRead(() => z.object({ bytes: z.int(), measured_ms: z.int() }));

export function openUsage({ database, home, clock }: { readonly database: Database; readonly home: Home; readonly clock: Clock }): Usage {
  const ofDay = (tenant: TenantId, nowMs: number): readonly [costMicroUsd: number, requests: number] => {
    const days = database.statement('SELECT cost_micro_usd, requests FROM tenant_days WHERE tenant = ? AND day = ?');
    return (days.get(tenant, dayOf(nowMs)) as [number, number] | undefined) ?? [0, 0];
  };
  const walks = new Map<TenantId, Promise<StorageUse>>();
  const rests = new Map<TenantId, Rest>();
  const measure = (tenant: TenantId): Promise<StorageUse> => {
    const running = walks.get(tenant);
    if (running !== undefined) return running;
    const startedMs = performance.now();
    const walk = measureNow({ database, home, clock }, tenant).finally(() => {
      walks.delete(tenant);
      rests.set(tenant, { sinceMs: clock.now(), forMs: Math.max(freshMs, (performance.now() - startedMs) * walkPart) });
    });
    walks.set(tenant, walk);
    return walk;
  };
  return {
    costMicroUsd: (tenant, nowMs) => ofDay(tenant, nowMs)[0],
    requests: (tenant, nowMs) => ofDay(tenant, nowMs)[1],
    addRequests: (tenant, count, nowMs) =>
      void database.relaxed(() =>
        database.run(
          'INSERT INTO tenant_days (tenant, day, requests) VALUES (?, ?, ?) ON CONFLICT (tenant, day) DO UPDATE SET requests = requests + excluded.requests',
          tenant,
          dayOf(nowMs),
          count,
        ),
      ),
    storage: async (tenant) => {
      const known = lastMeasure(database, tenant);
      if (known === undefined) return await measure(tenant);
      // silent-ok: the last measure stands; the next request tries again.
      if (isDue(known, rests.get(tenant), clock.now())) measure(tenant).catch(() => undefined);
      return known;
    },
    measureStorage: measure,
  };
}

function lastMeasure(database: Database, tenant: TenantId): StorageUse | undefined {
  const row = database.get('SELECT bytes, measured_ms FROM tenant_storage WHERE tenant = ?', tenant);
  if (row === undefined) return undefined;
  const { bytes, measured_ms: measuredMs } = storageRow.parse(row);
  return { bytes, measuredMs };
}

/** Times are compared by their distance: after a clock stepped back, a measure of the future is as old as any. */
function isDue({ measuredMs }: StorageUse, rest: Rest | undefined, nowMs: number): boolean {
  const isResting = rest !== undefined && Math.abs(nowMs - rest.sinceMs) <= rest.forMs;
  return !isResting && Math.abs(nowMs - measuredMs) > freshMs;
}

function dayOf(nowMs: number): number {
  return Math.floor(nowMs / dayMs);
}

async function measureNow(
  { database, home, clock }: { readonly database: Database; readonly home: Home; readonly clock: Clock },
  tenant: TenantId,
): Promise<StorageUse> {
  const bytes = await bytesBelow(home.tenantDir(tenant));
  const measuredMs = clock.now();
  database.relaxed(() =>
    database.run('INSERT OR REPLACE INTO tenant_storage (tenant, bytes, measured_ms) VALUES (?, ?, ?)', tenant, bytes, measuredMs),
  );
  return { bytes, measuredMs };
}

/** What the disk gave for a folder: blocks and not lengths, so that many tiny files are not free. Links are not followed. */
async function bytesBelow(dir: string): Promise<number> {
  let bytes = 0;
  const open = [dir];
  for (let folder = open.pop(); folder !== undefined; folder = open.pop()) {
    const entries = await fs.promises.readdir(folder, { withFileTypes: true }).catch(goneIsEmpty);
    for (const entry of entries) {
      const place = path.join(folder, entry.name);
      if (entry.isDirectory()) open.push(place);
      const stat = await fs.promises.lstat(place).catch(goneIsUndefined);
      bytes += (stat?.blocks ?? 0) * 512;
    }
  }
  return bytes;
}

function goneIsEmpty(error: NodeJS.ErrnoException): [] {
  if (error.code === 'ENOENT') return [];
  throw error;
}

function goneIsUndefined(error: NodeJS.ErrnoException): undefined {
  if (error.code === 'ENOENT') return undefined;
  throw error;
}
