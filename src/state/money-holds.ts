import * as z from 'zod/mini';
import type { RunId, TenantId } from '../contracts/ids.ts';
import type { Database } from './database.ts';

export interface MoneyWish {
  readonly tenant: TenantId;
  readonly run: RunId;
  /** The ledger claim of the process that works on the run: a hold is worth nothing when it is dead. */
  readonly owner: string;
  readonly wantedMicroUsd: number;
  /** Of the tenant's day. */
  readonly limitMicroUsd: number;
}

export interface MoneyRules {
  /** Of the day, by runs that ended or parked. Asked within the transaction. */
  readonly spentMicroUsd: () => number;
  readonly isAlive: (owner: string) => boolean;
}

export type MoneyOutcome =
  | { readonly outcome: 'held'; readonly microUsd: number }
  | { readonly outcome: 'none'; readonly spentMicroUsd: number; readonly heldMicroUsd: number };

/** Less is not worth a model call. */
const leastMicroUsd = 10_000;

/**
 * What runs at work may still spend, for all processes of a home: what they hold together and what was spent is never
 * more than the tenant's day.
 *
 * Contract: of two that take at once, one sees the other; what a dead process held is free again; a run that begins
 * beside others gets at most half of what is neither spent nor held, so that the first does not take all from the rest.
 */
export interface MoneyHolds {
  take(wish: MoneyWish, rules: MoneyRules): MoneyOutcome;
  release(run: RunId): void;
}

const holdRow = z.object({ run: z.string(), owner: z.string(), micro_usd: z.int() });

export function openMoneyHolds(database: Database): MoneyHolds {
  const release: MoneyHolds['release'] = (run) => void database.relaxed(() => database.run('DELETE FROM money_holds WHERE run = ?', run));
  const heldByOthers = ({ tenant, run, owner }: MoneyWish, isAlive: MoneyRules['isAlive']): number => {
    const rows = database.all('SELECT run, owner, micro_usd FROM money_holds WHERE tenant = ?', tenant).map((row) => holdRow.parse(row));
    const others = rows.filter((row) => row.run !== run);
    const dead = others.filter((row) => row.owner !== owner && !isAlive(row.owner));
    for (const row of dead) database.run('DELETE FROM money_holds WHERE run = ?', row.run);
    return others.reduce((sum, row) => sum + (dead.includes(row) ? 0 : row.micro_usd), 0);
  };
  return {
    take: (wish, { spentMicroUsd, isAlive }) =>
      database.relaxed(() =>
        database.transact(() => {
          const [held, spent] = [heldByOthers(wish, isAlive), spentMicroUsd()];
          const left = wish.limitMicroUsd - spent - held;
          const microUsd = Math.floor(Math.min(wish.wantedMicroUsd, held === 0 ? left : left / 2));
          if (microUsd < Math.min(leastMicroUsd, wish.wantedMicroUsd)) return { outcome: 'none', spentMicroUsd: spent, heldMicroUsd: held };
          const sql = 'INSERT OR REPLACE INTO money_holds (run, tenant, owner, micro_usd) VALUES (?, ?, ?, ?)';
          database.run(sql, wish.run, wish.tenant, wish.owner, microUsd);
          return { outcome: 'held', microUsd };
        }),
      ),
    release,
  };
}
