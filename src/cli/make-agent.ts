import path from 'node:path';
import { FixRequestError } from '../contracts/errors.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import type { Home } from '../state/home.ts';
import { writeFileAtomic } from '../state/atomic-file.ts';
import { agentTemplates, type AgentTemplate } from './templates/agent-templates.ts';

/** @throws FixRequestError when there is no such template. */
export function chooseTemplate(name: string): AgentTemplate {
  const template = Object.hasOwn(agentTemplates, name) ? agentTemplates[name] : undefined;
  if (template !== undefined) return template;
  const known = Object.entries(agentTemplates).map(([key, { summary }]) => `${key} (${summary})`);
  throw new FixRequestError('cli.unknown-template', `There is no template ${JSON.stringify(name)}. Use one of these: ${known.join('; ')}.`);
}

/** Makes the agent's folder from a template; an agent that is there is never touched. */
export async function makeAgent(
  home: Home,
  { tenant, agent, template }: { readonly tenant: TenantId; readonly agent: AgentId; readonly template: string },
): Promise<string> {
  const { files } = chooseTemplate(template);
  const fs = await import('node:fs/promises');
  const dir = home.agentDir(tenant, agent);
  const isThere = await fs.stat(path.join(dir, 'agent.yaml')).then(
    () => true,
    () => false,
  );
  if (isThere)
    throw new FixRequestError(
      'cli.agent-exists',
      `Agent ${agent} is there already (${dir}), and nothing was changed. Choose another name, or edit its files.`,
    );
  await fs.mkdir(path.join(dir, 'memory'), { recursive: true, mode: 0o700 });
  for (const [name, text] of Object.entries(files)) {
    if (name !== 'agent.yaml') await writeFileAtomic(path.join(dir, name), text, { mode: 0o600 });
  }
  await writeFileAtomic(path.join(dir, 'agent.yaml'), files['agent.yaml'] ?? '', { mode: 0o600 });
  return dir;
}
