import fs from 'node:fs';
import path from 'node:path';
import { startOpenAiServer, type ServerTurn } from '../servers/openai-server.ts';
import { newInstallation, type Document, type Finished, type Installation } from '../stories/installation.ts';

/** What an agent asked for and was told, in order. */
export interface ToldCall {
  readonly text: string;
  readonly isError: boolean;
}

export interface ShellStory extends AsyncDisposable {
  readonly one: Installation;
  readonly runtimeDir: string;
  /** Runs the agent: each list is one turn's calls; a last turn ends it. */
  ask(turns: readonly (readonly Call[])[], args?: readonly string[]): Promise<Asked>;
  /** Folders of sandboxes that are there now; what a driver makes ahead is none. */
  live(): string[];
}

export type Call = readonly [name: string, args: Document];
export interface Asked {
  readonly finished: Finished;
  /** What the model was told of each call. */
  readonly told: readonly string[];
  /** Names of the tools that the model was offered. */
  readonly offered: readonly string[];
}

export interface ShellStoryOptions {
  /** `agent.yaml` without its first line. */
  readonly agentYaml: string;
  readonly clawholdYaml?: string;
  /** Of the workspace; absent: root, whose workspace is copied in and out. */
  readonly owner?: number | undefined;
  readonly env?: NodeJS.ProcessEnv;
}

/** An installation whose agent has a shell, and a model that says what the test says. */
export function newShellStory(options: ShellStoryOptions): ShellStory {
  const one = newInstallation({ agentYaml: options.agentYaml });
  const runtimeDir = path.join(one.root, 'runtime');
  one.env['CLAWHOLD_RUNTIME_DIR'] = runtimeDir;
  Object.assign(one.env, options.env);
  fs.chmodSync(one.root, 0o755);
  if (options.owner !== undefined) fs.chownSync(one.workspace, options.owner, options.owner);
  return {
    one,
    runtimeDir,
    async ask(turns, args = []) {
      await using server = await startOpenAiServer({ turns: [...turns.map(turnOf), { text: 'done' }] });
      one.write('.clawhold/llm.yaml', `version: 1\nproviders:\n  test: { wire: openai, baseUrl: ${server.baseUrl} }\n`);
      one.write('.clawhold/clawhold.yaml', `version: 1\nmodel: test/model\n${options.clawholdYaml ?? ''}`);
      const finished = await one.cli(['ask', 'work', '--json', ...args], { seconds: 120 });
      const last = server.requests.at(-1)?.body ?? {};
      const messages = (last['messages'] ?? []) as Document[];
      const tools = (server.requests[0]?.body['tools'] ?? []) as Document[];
      return {
        finished,
        told: messages.filter(({ role }) => role === 'tool').map(({ content }) => content as string),
        offered: tools.map((tool) => tool.function.name as string),
      };
    },
    live: () => namesIn(path.join(runtimeDir, 'live')).filter((name) => !name.startsWith('stock-')),
    async [Symbol.asyncDispose]() {
      one[Symbol.dispose]();
    },
  };
}

function turnOf(calls: readonly Call[]): ServerTurn {
  return { text: '', toolCalls: calls.map(([name, args]) => ({ name, args })) };
}

function namesIn(folder: string): string[] {
  return fs.existsSync(folder) ? fs.readdirSync(folder) : [];
}
