import { systemClock } from '../contracts/clock.ts';
import type { AgentId } from '../contracts/ids.ts';
import { decide } from '../governance/decide.ts';
import { compilePolicy } from '../governance/policy-snapshot.ts';
import { compileOptions } from '../worker/compile-options.ts';
import { loadAgent } from '../worker/load-agent.ts';
import { agentPolicySource } from '../worker/policy-sources.ts';
import { describeAgentTools } from './agent-tools.ts';
import type { App } from './app.ts';

/** Whether platform, tenant and the agent's grants let it POST there by itself, with nobody to ask. */
export async function mayPostTo(
  app: Pick<App, 'home' | 'policyFiles' | 'tenant'>,
  agent: AgentId,
  place: { readonly url: string; readonly host: string; readonly port: number },
): Promise<boolean> {
  const home = await app.home();
  const loaded = await loadAgent(home, { tenant: app.tenant, agent });
  const sources = [...(await app.policyFiles()), await agentPolicySource(home, loaded)];
  const tools = await describeAgentTools(loaded, systemClock);
  const { url, host, port } = place;
  const { verdict } = decide(
    {
      tenant: app.tenant,
      agent,
      principal: { kind: 'service', id: 'notify' },
      tool: 'http.fetch',
      effects: ['outside'],
      args: { url, method: 'POST' },
      resources: [{ kind: 'host', argument: 'url', host, port, method: 'POST' }],
      labels: [],
      run: { hasPrivate: false, hasUntrusted: false },
      nowMs: 0,
    },
    compilePolicy(sources, { ...compileOptions(tools), agent: loaded.parsed }),
  );
  return verdict === 'allow';
}
