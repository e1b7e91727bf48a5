import { FixRequestError } from '../contracts/errors.ts';
import { systemClock } from '../contracts/clock.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { NotifyContext } from '../control/notify.ts';
import type { App } from './app.ts';

/**
 * Leads the output of a run to where its job wants it, through the broker: one POST to the one place that the job names,
 * private addresses refused, this machine only where `egress.loopback` names it and the
 * agent was granted it, recorded as the run's egress.
 */
export function openNotifyPost(appOf: (tenant: TenantId) => App): NotifyContext['post'] {
  return async ({ tenant, run, url, headers, body, signal }) => {
    const app = appOf(tenant);
    const [{ openEdge, parseEgressGrant, systemLookup }, { fetchThroughEdge, urlPlace }] = await Promise.all([
      import('../broker/edge.ts'),
      import('../broker/fetch.ts'),
    ]);
    const allowLoopback = (await app.config()).egress?.loopback ?? [];
    await checkNotifyUrl(url, notifyRights(app, run.agent, allowLoopback));
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

/** Of the agent whose output is sent: whether its grants let it POST to a place of this machine. */
export interface NotifyRights {
  readonly loopback: readonly string[];
  readonly mayPost: (place: { readonly url: string; readonly host: string; readonly port: number }) => Promise<boolean>;
}

export function notifyRights(app: App, agent: AgentId, loopback: readonly string[]): NotifyRights {
  return { loopback, mayPost: async (place) => await (await import('./may-notify.ts')).mayPostTo(app, agent, place) };
}

/**
 * A place of this machine is behind every wall: that `egress.loopback` names it says that it can be reached at all, and
 * the agent's grants say by whom, as for a call of its own.
 * @throws when nothing could be sent there: not https, an address instead of a name, a name that can be read in two ways,
 * or a place of this machine that the agent was not granted.
 */
export async function checkNotifyUrl(url: string, { loopback, mayPost }: NotifyRights): Promise<void> {
  const { urlPlace } = await import('../broker/fetch.ts');
  const { host, port } = urlPlace(url);
  const place = `${host}:${port}`;
  if (loopback.includes(place)) {
    if (await mayPost({ url, host, port })) return;
    throw new FixRequestError(
      'cli.notify-not-granted',
      `The output is not sent to ${place}, because that is a server of this machine and the agent may not POST there by itself. Grant it in agent.yaml: http.fetch: { hosts: ['${place}'], methods: [POST] }.`,
    );
  }
  if (/^https:/i.test(url)) return;
  throw new FixRequestError(
    'cli.bad-notify-url',
    `${url} is not https, so anybody on the way could read the output. Use https, or name ${place} in egress.loopback of clawhold.yaml and in a grant of the agent if it is a server of this machine.`,
  );
}
