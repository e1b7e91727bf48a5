import { systemClock } from '../contracts/clock.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { RunItem } from '../contracts/run.ts';
import { overQuotaSentence, usdUse } from '../control/quota.ts';
import { openTenants } from '../state/tenants.ts';
import { openUsage } from '../state/usage.ts';
import type { App } from './app.ts';

/**
 * What the tenant may still spend today, for runs that a person starts or resumes at this machine: such runs pass no
 * queue, but a suspended tenant starts nothing and the day's money is the same.
 * @throws FixRequestError when it is suspended, its file is wrong, or nothing is left.
 */
export async function leftOfDay(
  app: Pick<App, 'home' | 'database' | 'tenant'>,
): Promise<{ readonly usd: number; readonly isTouched: boolean }> {
  const home = await app.home();
  const tenant = openTenants(home).existing(app.tenant);
  if (!tenant.isActive)
    throw new FixRequestError(
      'cli.tenant-suspended',
      `Tenant ${tenant.id} is suspended, so it starts nothing. Let it work again with "clawhold tenants resume ${tenant.id}".`,
    );
  const usage = openUsage({ database: await app.database(), home, clock: systemClock });
  const spent = usdUse({ clock: systemClock, usage }, tenant);
  if (spent.used >= spent.limit) throw new FixRequestError('cli.over-quota', overQuotaSentence(tenant.id, spent));
  return { usd: spent.limit - spent.used, isTouched: spent.used > 0 };
}

/** The item with at most what is left of the day: the lowest wins. */
export function withinDay(item: RunItem, { usd, isTouched }: { readonly usd: number; readonly isTouched: boolean }): RunItem {
  return isTouched ? { ...item, limits: { ...item.limits, usd: Math.min(item.limits?.usd ?? Infinity, usd) } } : item;
}
