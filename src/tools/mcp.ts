import type { McpPins } from '../contracts/mcp-pins.ts';
import { placelessReasonOf } from '../contracts/errors.ts';
import type { JsonObject, JsonValue } from '../contracts/json.ts';
import type { Tool, ToolDeclaration, ToolResult } from '../contracts/tool.ts';
import { failure } from './core/define-tool.ts';
import { changeOf, comparePin, declarePinned, serverHash, type ListedTool, type McpServer, type PinDifference } from './mcp-pin.ts';
import { McpError } from './mcp/json-rpc.ts';
import { openMcpSession, type CallAnswer, type McpLimits, type McpProcess, type McpSession, type StartMcp } from './mcp/session.ts';

export type { McpLimits, McpProcess, StartMcp };

export const defaultMcpLimits: McpLimits = { startMs: 20_000, callMs: 120_000, messageBytes: 8 * 1024 * 1024, tools: 200 };
const maxTextBytes = 256 * 1024;

export interface McpOptions {
  /** `mcp:` of agent.yaml. */
  readonly servers: Readonly<Record<string, McpServer>>;
  /** `mcp.yaml`; absent: nothing is pinned, so there is no tool. */
  readonly pins: McpPins | undefined;
  /** Starts one of the servers in a sandbox. There is no way to run one without. */
  readonly start: (name: string, server: McpServer) => StartMcp;
  /** The run is continued by this process: what the servers remembered is gone. */
  readonly isResumed?: boolean;
  readonly limits?: Partial<McpLimits>;
}

export interface McpTools extends AsyncDisposable {
  /** The pinned tools of all servers, named `mcp.<server>.<tool>`. */
  readonly tools: readonly Tool[];
}

/**
 * The pinned tools of an agent's MCP servers. A server starts at its first call.
 *
 * Contract: only what was pinned exists; before a call, the server's own list must have the tool with the pinned
 * description and parameters, also after the server says that its list changed; a server that ended is started anew,
 * and the model is told that it remembers nothing.
 */
export function openMcpTools(options: McpOptions): McpTools {
  const hosts = Object.entries(options.servers).flatMap(([name, server]) => {
    const pin = options.pins !== undefined && Object.hasOwn(options.pins.servers, name) ? options.pins.servers[name] : undefined;
    return pin === undefined ? [] : [{ host: new ServerHost(name, server, { options, pin }), name, pin, minimum: server.minimum }];
  });
  return {
    tools: hosts.flatMap(({ host, name, pin, minimum }) =>
      Object.entries(pin.tools).map(([tool, pinned]) => host.tool(tool, declarePinned(name, tool, { pinned, minimum }))),
    ),
    [Symbol.asyncDispose]: async () => void (await Promise.all(hosts.map(async ({ host }) => await host.stop()))),
  };
}

/** Starts a server once and compares what it offers with its pin: for `clawhold mcp probe` and `pin`. @throws McpError */
export async function probeMcpServer(
  start: StartMcp,
  { pin, limits }: { readonly pin?: McpPins['servers'][string]; readonly limits?: Partial<McpLimits> } = {},
): Promise<{ readonly tools: readonly ListedTool[]; readonly differences: readonly PinDifference[] }> {
  const session = await openMcpSession(start, { ...defaultMcpLimits, ...limits });
  try {
    const tools = await session.list();
    return { tools, differences: comparePin(pin, tools) };
  } finally {
    await session.stop();
  }
}

interface HostFacts {
  readonly options: McpOptions;
  readonly pin: McpPins['servers'][string];
}

/** One server of one run: its session, while it has one. */
class ServerHost {
  readonly #name: string;
  readonly #server: McpServer;
  readonly #facts: HostFacts;
  readonly #limits: McpLimits;
  #session: Promise<McpSession> | undefined;
  #listed: readonly ListedTool[] = [];
  #starts: number;
  #isStopped = false;
  #opening: Promise<unknown> = Promise.resolve();

  constructor(name: string, server: McpServer, facts: HostFacts) {
    this.#name = name;
    this.#server = server;
    this.#facts = facts;
    this.#limits = { ...defaultMcpLimits, ...facts.options.limits };
    this.#starts = facts.options.isResumed === true ? 1 : 0;
  }

  tool(name: string, declaration: ToolDeclaration): Tool {
    return {
      ...declaration,
      parse: (args) => parseArguments(declaration, args),
      perform: async (args, { signal }) => await this.#perform({ name, declaration }, args, signal),
    };
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    // silent-ok: a session that never came to be has nothing to stop.
    await this.#session?.then(async (session) => await session.stop()).catch(() => undefined);
  }

  async #perform(
    { name, declaration }: { readonly name: string; readonly declaration: ToolDeclaration },
    args: JsonObject,
    signal: AbortSignal,
  ): Promise<ToolResult> {
    const source = { source: `tool:${declaration.name}` };
    try {
      const opened = this.#opening.then(async () => await this.#open());
      // Calls at one time open one session; a failed opening is its own call's matter.
      this.#opening = opened.catch(() => undefined);
      const { session, isFresh } = await opened;
      const change = this.#changeOf(name);
      if (change !== undefined) return failure('mcp.changed', change);
      const note = isFresh ? `[The server ${this.#name} was started anew: what it remembered from before is gone.]\n` : '';
      return { ...resultOf(await session.call(name, args, signal), note), ...source };
    } catch (error) {
      const code = error instanceof McpError ? error.code : 'mcp.unavailable';
      return failure(code, `The MCP server ${this.#name} gave no answer: ${placelessReasonOf(error)}.`, source);
    }
  }

  /** A session whose list was compared; `isFresh` when another one, of this run, came before it. */
  async #open(): Promise<{ readonly session: McpSession; readonly isFresh: boolean }> {
    if (this.#isStopped) throw new McpError('mcp.unavailable', 'the run has ended');
    if (serverHash(this.#server) !== this.#facts.pin.server)
      throw new McpError(
        'mcp.unavailable',
        `its command, environment or hosts are not the pinned ones; a human must look and run "clawhold mcp pin ${this.#name}"`,
      );
    const known = await this.#session?.catch(() => undefined);
    if (known?.isOpen === true) {
      if (known.hasNews) this.#listed = await known.list();
      return { session: known, isFresh: false };
    }
    const isFresh = this.#starts > 0;
    this.#starts += 1;
    await known?.stop();
    this.#session = openMcpSession(this.#facts.options.start(this.#name, this.#server), this.#limits);
    const session = await this.#session;
    this.#listed = await session.list();
    return { session, isFresh };
  }

  #changeOf(name: string): string | undefined {
    const listed = this.#listed.find((tool) => tool.name === name);
    const pinned = this.#facts.pin.tools[name];
    const what = listed === undefined || pinned === undefined ? 'no such tool' : changeOf(pinned, listed);
    if (what === undefined) return undefined;
    const now = what === 'no such tool' ? what : `another ${what}`;
    return `The MCP server ${this.#name} now offers ${now} for ${name} than a human approved, so it is refused. A human can look and run "clawhold mcp pin ${this.#name}".`;
  }
}

/** The server checks its arguments itself; here only what the model could not know to be wrong is told at once. */
function parseArguments(declaration: ToolDeclaration, args: JsonValue): ReturnType<Tool['parse']> {
  if (typeof args !== 'object' || args === null || Array.isArray(args))
    return { ok: false, problem: `The arguments of ${declaration.name} must be one JSON object.` };
  const given = args as JsonObject;
  const unknown = Object.keys(given).filter((argument) => !Object.hasOwn(declaration.args, argument));
  const required = declaration.parameters['required'];
  const missing = Array.isArray(required)
    ? required.filter((argument): argument is string => typeof argument === 'string' && !Object.hasOwn(given, argument))
    : [];
  const problems = [
    ...unknown.map((argument) => `there is no argument \`${argument}\``),
    ...missing.map((argument) => `\`${argument}\` is missing`),
  ];
  return problems.length === 0
    ? { ok: true, args: given }
    : { ok: false, problem: `The arguments of ${declaration.name} are wrong: ${problems.join('; ')}.` };
}

function resultOf({ content, structuredContent, isError }: CallAnswer, note: string): ToolResult {
  const parts = content.map((part) => {
    if (part.type === 'text' && typeof part['text'] === 'string') return part['text'];
    const resource = part['resource'] as { readonly text?: unknown } | undefined;
    return typeof resource?.text === 'string' ? resource.text : `[${part.type}: not shown]`;
  });
  if (parts.length === 0 && structuredContent !== undefined) parts.push(JSON.stringify(structuredContent));
  const text = parts.join('\n');
  const bytes = Buffer.from(text);
  const shown =
    bytes.length <= maxTextBytes
      ? text
      : `${bytes.subarray(0, maxTextBytes).toString('utf8')}\n[cut: ${bytes.length - maxTextBytes} bytes more]`;
  return isError === true ? { isError: true, code: 'mcp.failed', text: note + shown } : { isError: false, text: note + shown };
}
