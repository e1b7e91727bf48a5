import { spawn, type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import type { RecordedRequest } from '../servers/openai-server.ts';

/** A document as a program reads it: the assertions say what it must hold. */
export type Document = ReturnType<typeof JSON.parse>;

/** What a finished command left behind. */
export interface Finished {
  /** Null when a signal ended it. */
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** Standard output as one JSON document. */
  readonly json: Document;
}

export interface CliOptions {
  readonly env?: NodeJS.ProcessEnv;
  readonly cwd?: string;
  readonly stdin?: string;
  /** Ends a hanging child, so that a hang is a failed test and not a hanging suite. */
  readonly seconds?: number;
  /** In a process group of its own, as a terminal gives one to a command. */
  readonly detached?: boolean;
}

/** A home in a folder of its own, and the program on it as child processes. */
export interface Installation extends Disposable {
  readonly root: string;
  readonly home: string;
  readonly workspace: string;
  readonly env: NodeJS.ProcessEnv;
  cli(args: readonly string[], options?: CliOptions): Promise<Finished>;
  /** The same, for tests that talk to it while it runs. */
  start(args: readonly string[], options?: CliOptions): { readonly child: ChildProcess; readonly done: Promise<Finished> };
  /** Writes below the root. */
  write(name: string, text: string): string;
  read(name: string): string;
  agentFile(name: string, agent?: string): string;
}

export interface InstallationOptions {
  /** `agents/main/agent.yaml`, without its first line. */
  readonly agentYaml?: string;
  readonly tenantPolicy?: string;
  readonly clawholdYaml?: string;
  /** Base URL of a server that speaks the OpenAI wire; it becomes the model `test/model`. */
  readonly openAi?: string;
  readonly anthropic?: string;
  readonly llmExtra?: string;
  readonly env?: NodeJS.ProcessEnv;
}

const main = path.join(import.meta.dirname, '..', '..', 'src', 'cli', 'main.ts');

/** The grants of an agent that may do everything in its workspace. */
export const allGrants =
  'workspace: workspace\ngrants:\n  fs.read: {}\n  fs.list: {}\n  code.search: {}\n  time.now: {}\n  fs.write: {}\n  fs.edit: {}\n';

/** Makes a home by hand, as a person would who knows the files; `init` has a story of its own. */
export function newInstallation(options: InstallationOptions = {}): Installation {
  const one = installationAt(newRoot(), options.env);
  const { root, write, agentFile } = one;
  write(agentFile('agent.yaml'), `version: 1\n${options.agentYaml ?? allGrants}`);
  write(agentFile('SOUL.md'), 'You are a careful assistant.\n');
  write(
    '.clawhold/clawhold.yaml',
    `version: 1\n${options.clawholdYaml ?? `model: ${options.anthropic === undefined ? 'test' : 'claude'}/model\n`}`,
  );
  write('.clawhold/llm.yaml', llmYaml(options));
  if (options.tenantPolicy !== undefined) write('.clawhold/tenants/default/policy.yaml', options.tenantPolicy);
  fs.mkdirSync(path.join(root, 'workspace'));
  fs.mkdirSync(path.join(root, 'user'));
  return one;
}

/** The same in a folder of its own: homes, keys, records and all. */
export function copyInstallation(of: Installation, env?: NodeJS.ProcessEnv): Installation {
  const one = installationAt(newRoot(), env);
  fs.cpSync(of.root, one.root, { recursive: true });
  return one;
}

function newRoot(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'clawhold-story-'));
}

function installationAt(root: string, more: NodeJS.ProcessEnv = {}): Installation {
  const env: NodeJS.ProcessEnv = {
    PATH: process.env['PATH'],
    HOME: path.join(root, 'user'),
    CLAWHOLD_CONFIG_HOME: path.join(root, 'user', 'config'),
    NO_COLOR: '1',
    USER: 'tester',
    // Compiled once for all children: they start in half of the time.
    NODE_COMPILE_CACHE: path.join(os.tmpdir(), 'clawhold-story-cache'),
    ...more,
  };
  const start: Installation['start'] = (args, given = {}) => startCli(args, { cwd: root, ...given, env: { ...env, ...given.env } });
  return {
    root,
    home: path.join(root, '.clawhold'),
    workspace: path.join(root, 'workspace'),
    env,
    start,
    cli: async (args, given) => await start(args, given).done,
    write: (name, text) => {
      const file = path.join(root, name);
      fs.mkdirSync(path.dirname(file), { recursive: true });
      fs.writeFileSync(file, text);
      return file;
    },
    read: (name) => fs.readFileSync(path.join(root, name), 'utf8'),
    agentFile: (name, agent = 'main') => path.join('.clawhold/tenants/default/agents', agent, name),
    [Symbol.dispose]: () => fs.rmSync(root, { recursive: true, force: true }),
  };
}

function llmYaml({ openAi, anthropic, llmExtra }: InstallationOptions): string {
  const providers = [
    openAi === undefined ? '' : `  test: { wire: openai, baseUrl: ${openAi}, firstByteSeconds: 2, idleSeconds: 2 }\n`,
    anthropic === undefined ? '' : `  claude: { wire: anthropic, baseUrl: ${anthropic}, keyEnv: CLAUDE_KEY }\n`,
    '  scripted: { wire: scripted }\n',
  ];
  return `version: 1\nproviders:\n${providers.join('')}${llmExtra ?? ''}`;
}

function startCli(args: readonly string[], options: CliOptions & { readonly cwd: string }): ReturnType<Installation['start']> {
  const child = spawn(process.execPath, [main, ...args], {
    cwd: options.cwd,
    env: options.env,
    detached: options.detached === true,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  const parts = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => void (parts.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => void (parts.stderr += text));
  child.stdin.on('error', () => {}).end(options.stdin ?? '');
  const timer = setTimeout(() => child.kill('SIGKILL'), (options.seconds ?? 30) * 1000);
  const done = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      clearTimeout(timer);
      resolve({
        code,
        signal,
        ...parts,
        get json() {
          return parseDocument(args, parts);
        },
      });
    });
  });
  return { child, done };
}

function parseDocument(args: readonly string[], { stdout, stderr }: { readonly stdout: string; readonly stderr: string }): Document {
  try {
    return JSON.parse(stdout);
  } catch (cause) {
    throw new Error(`clawhold ${args.join(' ')} printed no JSON document: ${stdout}\n${stderr}`, { cause });
  }
}

/** All files below a folder, by relative path. */
export function filesBelow(dir: string): Map<string, Buffer> {
  const entries = fs.readdirSync(dir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  return new Map(
    entries
      .map((entry) => path.relative(dir, path.join(entry.parentPath, entry.name)))
      .toSorted()
      .map((name) => [name, fs.readFileSync(path.join(dir, name))]),
  );
}

/** The conversation that a request to the OpenAI wire carried. */
export function messagesOf(request: RecordedRequest | undefined): Document[] {
  return (request?.body['messages'] ?? []) as Document[];
}

/** Entries of a run's journal. */
export function journalOf(bundle: string): Document[] {
  return fs
    .readFileSync(path.join(bundle, 'journal.jsonl'), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line));
}
