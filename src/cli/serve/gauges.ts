import { systemClock } from '../../contracts/clock.ts';
import { sandboxTenants } from '../../ops/sandbox-tenants.ts';
import { openApprovals } from '../../state/approvals.ts';
import type { OpenRunFeed } from '../../state/run-feed.ts';
import { openRuns } from '../../state/runs.ts';
import type { ReadinessCheck } from '../../gateway/gateway-context.ts';
import type { Installation } from './open-installation.ts';
import type { ServeTools } from './serve-tools.ts';

export interface GaugeParts extends ServeTools {
  readonly installation: Installation;
  readonly feed: OpenRunFeed;
  readonly runtimeDir: string;
  /** Executor slots of this process or of its children. */
  readonly slots: () => { readonly busy: number; readonly all: number };
  readonly readiness: () => Promise<readonly ReadinessCheck[]>;
}

/** Counters by tenant alone begin at 0, so that a first event is seen as a rise. */
const fromZero = ['leases_lost_total', 'rate_limited_total', 'broker_grants_total'] as const;

/** Values that are read when somebody asks for metrics. */
export function addGauges({ metrics, queue, installation, feed, runtimeDir, slots, readiness }: GaugeParts): void {
  const none = (): readonly { readonly labels: { readonly tenant: string }; readonly value: number }[] =>
    installation.tenants.list().map((tenant) => ({ labels: { tenant }, value: 0 }));
  for (const name of fromZero) for (const { labels } of none()) metrics.count(name, labels, 0);
  metrics.gauge('approvals_open', none);
  metrics.gauge('sandboxes', none);
  metrics.gauge('queue_oldest_ready_seconds', none);
  metrics.gauge('queue_tasks', async () =>
    (await queue.counts()).flatMap(({ tenant, scheduled, ready, leased, dead }) =>
      Object.entries({ scheduled, ready, leased, dead }).map(([state, value]) => ({ labels: { tenant, state }, value })),
    ),
  );
  metrics.gauge('queue_oldest_ready_seconds', async () =>
    (await queue.counts()).map(({ tenant, oldestReadyMs }) => ({
      labels: { tenant },
      value: oldestReadyMs === undefined ? 0 : Math.max(0, systemClock.now() - oldestReadyMs) / 1000,
    })),
  );
  metrics.gauge('executors', () => {
    const { busy, all } = slots();
    return [
      { labels: { state: 'busy' }, value: busy },
      { labels: { state: 'idle' }, value: Math.max(0, all - busy) },
    ];
  });
  metrics.gauge('approvals_open', () => {
    const open = openApprovals(installation.database).list({ state: 'open', limit: 10_000 }, systemClock.now());
    const tenants = Map.groupBy(open, ({ tenant }) => tenant);
    return [...tenants].map(([tenant, rows]) => ({ labels: { tenant }, value: rows.length }));
  });
  metrics.gauge('sandboxes', async () => {
    const tenants = await sandboxTenants(runtimeDir, openRuns(installation.database));
    return [...tenants].map(([tenant, value]) => ({ labels: { tenant }, value }));
  });
  metrics.gauge('event_listeners', () => [{ value: feed.followed }]);
  metrics.gauge('ready', async () => [{ value: (await readiness()).every(({ isReady }) => isReady) ? 1 : 0 }]);
}
