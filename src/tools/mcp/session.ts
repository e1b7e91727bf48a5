import * as z from 'zod/mini';
import type { JsonObject } from '../../contracts/json.ts';
import { McpError, RpcConnection } from './json-rpc.ts';

/** A server's process, in its sandbox. */
export interface McpProcess {
  write(bytes: Buffer): void;
  /** Resolves with why, when it is no longer running. */
  readonly ended: Promise<string>;
  stop(): Promise<void>;
}

/** Starts a server where it is isolated. @throws when it cannot be isolated: nothing has run then. */
export type StartMcp = (handlers: { readonly onStdout: (bytes: Buffer) => void }) => Promise<McpProcess>;

export interface McpLimits {
  readonly startMs: number;
  readonly callMs: number;
  readonly messageBytes: number;
  readonly tools: number;
}

export interface ListedTool {
  readonly name: string;
  readonly description: string;
  readonly parameters: JsonObject;
}

/** One conversation with one running server. */
export interface McpSession {
  readonly isOpen: boolean;
  /** Whether the server said, since the last listing, that its tools are others now. */
  readonly hasNews: boolean;
  list(): Promise<readonly ListedTool[]>;
  call(name: string, args: JsonObject, signal: AbortSignal): Promise<CallAnswer>;
  stop(): Promise<void>;
}

const versions = ['2025-06-18', '2025-03-26', '2024-11-05'];
const initialized = z.object({ protocolVersion: z.string(), capabilities: z.object({ tools: z.optional(z.unknown()) }) });
const toolPage = z.object({
  tools: z.array(z.object({ name: z.string(), description: z.optional(z.string()), inputSchema: z.record(z.string(), z.json()) })),
  nextCursor: z.optional(z.string()),
});
const callAnswer = z.object({
  content: z._default(z.array(z.looseObject({ type: z.string() })), []),
  structuredContent: z.optional(z.record(z.string(), z.json())),
  isError: z.optional(z.boolean()),
});
export type CallAnswer = z.infer<typeof callAnswer>;

/** Starts a server and greets it. @throws McpError, or what the start throws. Source: MCP 2025-06-18, lifecycle */
export async function openMcpSession(start: StartMcp, limits: McpLimits): Promise<McpSession> {
  let hasNews = false;
  let child: McpProcess | undefined;
  const rpc = new RpcConnection({
    write: (bytes) => child?.write(bytes),
    onNotification: (method) => (hasNews ||= method === 'notifications/tools/list_changed'),
    maxMessageBytes: limits.messageBytes,
  });
  child = await start({ onStdout: (bytes) => rpc.push(bytes) });
  const running = child;
  void running.ended.then((why) => rpc.fail(new McpError('mcp.failed', `the server ended: ${why}`)));
  try {
    await greet(rpc, limits);
  } catch (error) {
    await running.stop();
    throw error instanceof McpError ? new McpError('mcp.unavailable', error.message) : error;
  }
  return {
    get isOpen() {
      return rpc.isOpen;
    },
    get hasNews() {
      return hasNews;
    },
    async list() {
      hasNews = false;
      return await listTools(rpc, limits);
    },
    call: async (name, args, signal) =>
      parse(callAnswer, await rpc.request('tools/call', { name, arguments: args }, { ms: limits.callMs, signal })),
    async stop() {
      rpc.fail(new McpError('mcp.failed', 'the server was stopped'));
      await running.stop();
    },
  };
}

async function greet(rpc: RpcConnection, { startMs }: McpLimits): Promise<void> {
  const params = { protocolVersion: versions[0] ?? '', capabilities: {}, clientInfo: { name: 'clawhold', version: '0' } };
  const answer = parse(initialized, await rpc.request('initialize', params, { ms: startMs }));
  if (!versions.includes(answer.protocolVersion))
    throw new McpError('mcp.unavailable', `it speaks version ${answer.protocolVersion.slice(0, 40)} of the protocol`);
  if (answer.capabilities.tools === undefined) throw new McpError('mcp.unavailable', 'it offers no tools');
  rpc.notify('notifications/initialized');
}

async function listTools(rpc: RpcConnection, limits: McpLimits): Promise<readonly ListedTool[]> {
  const tools: ListedTool[] = [];
  const cursors = new Set<string>();
  for (let cursor: string | undefined; ;) {
    const page = parse(toolPage, await rpc.request('tools/list', cursor === undefined ? {} : { cursor }, { ms: limits.startMs }));
    for (const { name, description = '', inputSchema } of page.tools) tools.push({ name, description, parameters: inputSchema });
    if (tools.length > limits.tools) throw new McpError('mcp.failed', `it lists more than ${limits.tools} tools`);
    if (page.nextCursor === undefined) break;
    if (cursors.has(page.nextCursor)) throw new McpError('mcp.failed', 'its list of tools has no end');
    cursors.add(page.nextCursor);
    cursor = page.nextCursor;
    if (cursors.size > limits.tools) throw new McpError('mcp.failed', 'its list of tools has no end');
  }
  if (new Set(tools.map((tool) => tool.name)).size !== tools.length) throw new McpError('mcp.failed', 'it lists a tool twice');
  return tools;
}

function parse<T>(schema: z.ZodMiniType<T>, value: unknown): T {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  throw new McpError(
    'mcp.failed',
    `its answer is not in the form of the protocol (${issue?.path.join('.') ?? ''} ${issue?.message ?? ''})`,
  );
}
