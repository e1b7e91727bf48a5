import path from 'node:path';
import { assemblePrompt, type PromptPart } from '../agent/prompt.ts';
import type { AgentConfig } from '../contracts/config.ts';
import type { SandboxFacts } from '../contracts/isolation.ts';
import type { AgentId } from '../contracts/ids.ts';
import { refuseLooserTenant } from '../governance/looser-rules.ts';
import { compilePolicy } from '../governance/policy-snapshot.ts';
import { loadAgent, type LoadedAgent } from '../worker/load-agent.ts';
import { compileOptions } from '../worker/compile-options.ts';
import { offeredTools, wantsCommands } from '../worker/offered-tools.ts';
import { agentPolicySource } from '../worker/policy-sources.ts';
import type { App } from './app.ts';

export interface AgentFacts {
  readonly agent: AgentId;
  readonly dir: string;
  readonly workspace: string;
  readonly roots: readonly { readonly name: string; readonly dir: string }[];
  readonly config: AgentConfig;
  readonly tools: readonly string[];
  /** Of an agent that was granted commands. */
  readonly sandbox?: SandboxFacts;
  readonly parts: readonly PromptPart[];
  readonly promptBytes: number;
}

/** Everything a run of this agent would begin with, checked: configuration, policy with its examples, files. */
export async function inspectAgent(app: App, id: AgentId): Promise<AgentFacts> {
  const agent = await loadAgent(await app.home(), { tenant: app.tenant, agent: id });
  if (agent.config.schedule !== undefined) await checkSchedule(app, agent);
  await using tools = await app.openTools(agent);
  const sources = [...(await app.policyFiles()), await agentPolicySource(await app.home(), agent)];
  const snapshot = compilePolicy(sources, compileOptions(tools));
  refuseLooserTenant(snapshot);
  await using sandbox = await app.openSandbox(agent, { run: 'inspect', session: 'inspect', agent: agent.id });
  const facts = wantsCommands(agent, tools.tools) ? (await sandbox.choose(snapshot.sandbox.minimum)).facts : undefined;
  const offered = offeredTools(agent, tools, facts);
  const prompt = assemblePrompt({ agent: id, files: agent.files, roots: agent.roots.map((root) => root.name) });
  return {
    agent: id,
    dir: agent.dir,
    workspace: agent.workspace,
    roots: agent.roots,
    config: agent.config,
    tools: offered.map((tool) => tool.name),
    ...(facts === undefined ? {} : { sandbox: facts }),
    parts: prompt.parts,
    promptBytes: Buffer.byteLength(prompt.system) + Buffer.byteLength(JSON.stringify(offered)),
  };
}

/** What only the scheduler can tell: that the times come. @throws InvalidFileError with the line. */
async function checkSchedule(app: App, { id, dir, config, parsed }: LoadedAgent): Promise<void> {
  const [{ jobOfAgent }, { InvalidFileError }] = await Promise.all([import('../control/agent-job.ts'), import('../state/yaml-file.ts')]);
  const wanted = jobOfAgent(app.tenant, id, config);
  if (wanted.kind !== 'fault') return;
  const { path: at, message } = wanted.fault;
  throw new InvalidFileError(path.join(dir, 'agent.yaml'), [{ line: parsed.lineOf(at), path: at.join('.'), message }]);
}
