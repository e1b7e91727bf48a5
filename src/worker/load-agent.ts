import fs from 'node:fs';
import path from 'node:path';
import { bootstrapFiles } from '../agent/bootstrap-files.ts';
import { agentConfig, type AgentConfig } from '../contracts/config.ts';
import { mcpPins, type McpPins } from '../contracts/mcp-pins.ts';
import { FixRequestError } from '../contracts/errors.ts';
import type { AgentId, TenantId } from '../contracts/ids.ts';
import { forgetful, type Memo } from '../contracts/memo.ts';
import type { RunItem } from '../contracts/run.ts';
import type { Home } from '../state/home.ts';
import { readYamlFile } from '../state/read-yaml-file.ts';
import { unkept, type Look, type Readings } from '../state/readings.ts';
import type { ParsedYaml } from '../state/yaml-file.ts';
import { refuseForeignFolders, refuseLinkedRepo } from './foreign-folders.ts';

/** An agent as its folder says, before anything is pinned. */
export interface LoadedAgent {
  readonly id: AgentId;
  readonly dir: string;
  readonly config: AgentConfig;
  /** `agent.yaml` as read: the agent's policy layer. */
  readonly parsed: ParsedYaml<AgentConfig>;
  /** Bootstrap files and `memory/<name>.md`, by name. */
  readonly files: ReadonlyMap<string, string>;
  /** Absolute. */
  readonly workspace: string;
  /** Absolute, read-only. */
  readonly roots: readonly { readonly name: string; readonly dir: string }[];
  /** `mcp.yaml`: what a human pinned of the agent's MCP servers. */
  readonly mcp?: McpPins;
  /** Sentences about repaired files. */
  readonly notices: readonly string[];
}

const maxFileBytes = 1024 * 1024;

export interface LoadAgentOptions {
  readonly tenant: TenantId;
  readonly agent: AgentId;
  readonly workspace?: string;
  /** The workspace is the repo of a registered project. */
  readonly isRepo?: boolean;
  readonly memo?: Memo;
  readonly readings?: Readings;
  /** As `Readings.since`. */
  readonly sinceMs?: number | undefined;
}

/**
 * An agent as its folder says now; the same object as long as nothing in the folder changed.
 * @throws FixRequestError when there is no such agent, its configuration is wrong, or a root is not usable.
 */
export async function loadAgent(home: Home, options: LoadAgentOptions): Promise<LoadedAgent> {
  const { tenant, agent, readings = unkept, sinceMs } = options;
  const key = `${home.agentDir(tenant, agent)}\0${options.workspace ?? ''}`;
  const loaded = await readings.since(sinceMs).of(loadAgent, key, async (look) => await readAgent(home, options, look));
  const { config, workspace } = loaded;
  // Where folders lead to is no matter of the agent's own files.
  refuseForeignFolders(home, { tenant, agent, config, workspace });
  if (options.isRepo === true) refuseLinkedRepo(home, { tenant, workspace });
  return loaded;
}

/** Reads file by file and at once: they are few and small, and on another thread each would take ten times as long. */
async function readAgent(home: Home, { tenant, agent, workspace, memo = forgetful }: LoadAgentOptions, look: Look): Promise<LoadedAgent> {
  const dir = home.agentDir(tenant, agent);
  const [configFile, pinsFile] = [path.join(dir, 'agent.yaml'), path.join(dir, 'mcp.yaml')];
  // A backup decides what becomes of a damaged file.
  for (const place of [dir, configFile, pinsFile, `${configFile}.bak`, `${pinsFile}.bak`]) look(place);
  for (const place of [dir, configFile]) {
    if (statOf(place)?.isSymbolicLink() === true)
      throw badFile(place, 'is a link to another place, where others may write it', 'Put the thing itself there.');
  }
  const read = await readYamlFile(configFile, agentConfig, { memo });
  if (read === undefined) throw await unknownAgent(home, tenant, agent);
  const config = read.value;
  const base = home.tenantRoot(tenant);
  const writable = path.resolve(base, workspace ?? config.workspace ?? 'workspace');
  const roots = Object.entries(config.roots ?? {}).map(([name, folder]) => ({ name, dir: path.resolve(base, folder) }));
  refuseHomeAsRoot(home, agent, [{ name: 'workspace', dir: writable }, ...roots]);
  const pins = await readYamlFile(pinsFile, mcpPins, { memo });
  const notices = [read.notice, pins?.notice].filter((notice) => notice !== undefined);
  return {
    id: agent,
    dir,
    config,
    parsed: read,
    files: readFiles(dir, look),
    workspace: writable,
    roots,
    ...(pins === undefined ? {} : { mcp: pins.value }),
    notices,
  };
}

interface AgentOfItemContext {
  readonly home: Home;
  readonly memo: Memo;
  readonly readings: Readings;
  readonly sinceMs?: number;
}

/** The agent that an item names, in the workspace that it names. */
export async function agentOfItem(
  { home, memo, readings, sinceMs }: AgentOfItemContext,
  { tenant, agent, workspace, project }: Pick<RunItem, 'tenant' | 'agent' | 'workspace' | 'project'>,
): Promise<LoadedAgent> {
  const isRepo = project !== undefined;
  return await loadAgent(home, { tenant, agent, memo, readings, sinceMs, isRepo, ...(workspace === undefined ? {} : { workspace }) });
}

async function unknownAgent(home: Home, tenant: TenantId, agent: AgentId): Promise<FixRequestError> {
  const names = await listAgents(home, tenant);
  const known =
    names.length === 0
      ? 'There is none yet: make one with "clawhold agents new NAME".'
      : `Use one of these: ${names.join(', ')}; or make it with "clawhold agents new ${agent}".`;
  return new FixRequestError('worker.unknown-agent', `There is no agent ${JSON.stringify(agent)} in ${home.dir}. ${known}`, {
    publicMessage: `There is no agent ${agent} in tenant ${tenant}. List the agents, and name one of them.`,
  });
}

/** Names of the folders that hold an `agent.yaml`, sorted. */
export async function listAgents(home: Home, tenant: TenantId): Promise<string[]> {
  const folder = path.join(home.tenantDir(tenant), 'agents');
  const names: string[] = [];
  for (const entry of entriesOf(folder)) {
    if (entry.isDirectory() && fs.existsSync(path.join(folder, entry.name, 'agent.yaml'))) names.push(entry.name);
  }
  return names.toSorted();
}

/** Nothing of a folder that cannot be read. In place: `fs.promises` costs 2 ms to load, and agents are few. */
function entriesOf(folder: string): fs.Dirent[] {
  try {
    return fs.readdirSync(folder, { withFileTypes: true });
  } catch {
    // silent-ok: a home without agents has no such folder.
    return [];
  }
}

function readFiles(dir: string, look: Look): Map<string, string> {
  const files = new Map<string, string>();
  for (const { name } of bootstrapFiles) {
    const text = readText(path.join(dir, name), look);
    if (text !== undefined) files.set(name, text);
  }
  const memory = path.join(dir, 'memory');
  look(memory);
  for (const name of memoryNames(memory)) {
    const text = readText(path.join(memory, name), look);
    if (text !== undefined) files.set(`memory/${name}`, text);
  }
  return files;
}

/** The name becomes a heading of the prompt, so it holds nothing but a name. */
function memoryNames(folder: string): string[] {
  const stat = statOf(folder);
  if (stat === undefined) return [];
  if (!stat.isDirectory()) throw badFile(folder, 'is not a folder of its own', 'Replace it with one or remove it.');
  const names = fs
    .readdirSync(folder)
    .filter((name) => name.endsWith('.md'))
    .toSorted();
  const bad = names.find((name) => !/^[\w. -]{1,80}$/.test(name));
  if (bad !== undefined)
    throw badFile(path.join(folder, bad), 'has a name with other characters than letters, digits, dots, spaces and hyphens', 'Rename it.');
  return names;
}

function badFile(file: string, what: string, remedy: string): FixRequestError {
  return new FixRequestError('worker.bad-agent-file', `${JSON.stringify(file)} ${what}, so it cannot enter a prompt. ${remedy}`);
}

/** A link instead of a file is refused: what enters the prompt lies in the agent's own folder. */
function readText(file: string, look: Look): string | undefined {
  look(file);
  const stat = statOf(file);
  if (stat === undefined) return undefined;
  if (!stat.isFile()) throw badFile(file, 'is not a regular file', 'Replace it with one or remove it.');
  if (stat.size > maxFileBytes)
    throw badFile(file, `has ${stat.size} bytes, more than the ${maxFileBytes} that an agent's file may have`, 'Shorten it.');
  return fs.readFileSync(file, 'utf8');
}

/** What stands there itself, also when it is a link; undefined when nothing does. */
function statOf(file: string): fs.Stats | undefined {
  return fs.lstatSync(file, { throwIfNoEntry: false });
}

/** An agent that could write its own home could change its grants: no root may lie in it, and none may be all of the disk. */
function refuseHomeAsRoot(home: Home, agent: AgentId, roots: readonly { readonly name: string; readonly dir: string }[]): void {
  for (const { name, dir } of roots) {
    const isInside = dir === home.dir || dir.startsWith(home.dir + path.sep);
    if (isInside || dir === path.parse(dir).root) {
      throw new FixRequestError(
        'worker.bad-root',
        `The root "${name}" of agent ${agent} is ${dir}, which ${isInside ? 'lies inside the home' : 'is the whole disk'}. Give it a folder of its own.`,
      );
    }
  }
}
