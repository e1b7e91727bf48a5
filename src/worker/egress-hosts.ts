import { FixRequestError } from '../contracts/errors.ts';
import type { Resource } from '../contracts/policy.ts';
import type { RunItem } from '../contracts/run.ts';
import { decide } from '../governance/decide.ts';
import type { PolicySnapshot } from '../governance/policy-snapshot.ts';
import type { LoadedAgent } from './load-agent.ts';

/**
 * The hosts that an agent's commands may reach are a grant like any other: platform and tenant must allow each of them, as
 * they would for http.fetch. There is nobody to ask when a command connects, so what would be asked about is refused.
 *
 * @throws FixRequestError with the rule that forbids a host
 */
export function refuseForbiddenHosts(item: RunItem, agent: Pick<LoadedAgent, 'config' | 'id'>, snapshot: PolicySnapshot): void {
  const network = agent.config.sandbox?.network;
  if (network === undefined || network === 'none') return;
  const above = { ...snapshot, layers: snapshot.layers.filter(({ layer }) => layer !== 'agent') };
  for (const written of network.hosts) {
    for (const method of network.methods ?? ['GET', 'POST']) {
      const { verdict, reason } = decide(
        {
          tenant: item.tenant,
          agent: item.agent,
          principal: item.principal,
          tool: 'http.fetch',
          effects: ['outside'],
          args: { url: `https://${written}/`, method },
          resources: [hostOf(written, method)],
          labels: [],
          run: { hasPrivate: false, hasUntrusted: false },
          nowMs: 0,
        },
        above,
      );
      if (verdict === 'allow') continue;
      throw new FixRequestError(
        'worker.host-not-allowed',
        `Agent ${agent.id} names the host ${written} in sandbox.network, and a policy above it does not allow that: ${reason} Take the host out of agent.yaml, or have the policy changed.`,
      );
    }
  }
}

function hostOf(written: string, method: string): Resource {
  const [host = '', port] = written.split(':');
  return { kind: 'host', argument: 'url', host, port: port === undefined ? 443 : Number(port), method };
}
