import fs from 'node:fs';
import path from 'node:path';
import type { PolicySource } from '../contracts/policy.ts';
import type { Home } from '../state/home.ts';
import type { LoadedAgent } from './load-agent.ts';

/** An agent's own policy layer: the text of its `agent.yaml`, as it is on the disk now. */
export async function agentPolicySource(home: Home, agent: Pick<LoadedAgent, 'dir'>): Promise<PolicySource> {
  const file = path.join(agent.dir, 'agent.yaml');
  return { layer: 'agent', file: path.relative(home.dir, file), text: fs.readFileSync(file, 'utf8') };
}

/** The same of an agent that was just loaded: the very text of which its configuration was read. */
export function policySourceOf(home: Home, { dir, parsed }: Pick<LoadedAgent, 'dir' | 'parsed'>): PolicySource {
  return { layer: 'agent', file: path.relative(home.dir, path.join(dir, 'agent.yaml')), text: parsed.text };
}
