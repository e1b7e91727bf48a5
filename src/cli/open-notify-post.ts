import { FixRequestError } from '../contracts/errors.ts';
import { systemClock } from '../contracts/clock.ts';
import type { TenantId } from '../contracts/ids.ts';
import type { NotifyContext } from '../control/notify.ts';
import type { App } from './app.ts';

/**
 * Leads the output of a run to where its job wants it, through the broker: one POST to the one place that the job names,
 * private addresses refused, this machine only where `egress.loopback` names it, recorded as the run's egress.
 */
export function openNotifyPost(appOf: (tenant: TenantId) => Pick<App, 'ledger' | 'config'>): NotifyContext['post'] {
  return async ({ tenant, run, url, headers, body, signal }) => {
    const app = appOf(tenant);
    const [{ openEdge, parseEgressGrant, systemLookup }, { fetchThroughEdge, urlPlace }] = await Promise.all([
      import('../broker/edge.ts'),
      import('../broker/fetch.ts'),
    ]);
    const allowLoopback = (await app.config()).egress?.loopback ?? [];
    await checkNotifyUrl(url, allowLoopback);
    const { host, port } = urlPlace(url);
    const isHere = allowLoopback.includes(`${host}:${port}`);
    const edge = openEdge({
      run: { run: run.id, session: run.session, agent: run.agent },
      ledger: await app.ledger(),
      clock: systemClock,
      grants: [parseEgressGrant(`${host}:${port}`, { methods: ['POST'] })],
      allowLoopback,
      lookup: async (name) => (isHere ? ['127.0.0.1'] : await systemLookup(name)),
    });
    const { status } = await fetchThroughEdge(edge, { url, method: 'POST', headers, body }, { signal, maxBytes: 4096 });
    return { status };
  };
}

/** @throws when nothing could be sent there: not https, an address instead of a name, a name that can be read in two ways. */
export async function checkNotifyUrl(url: string, loopback: readonly string[]): Promise<void> {
  const { urlPlace } = await import('../broker/fetch.ts');
  const { host, port } = urlPlace(url);
  if (/^https:/i.test(url) || loopback.includes(`${host}:${port}`)) return;
  throw new FixRequestError(
    'cli.bad-notify-url',
    `${url} is not https, so anybody on the way could read the output. Use https, or name ${host}:${port} in egress.loopback of clawhold.yaml if it is a server of this machine.`,
  );
}
