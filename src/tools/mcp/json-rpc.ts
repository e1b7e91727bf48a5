import type { JsonObject, JsonValue } from '../../contracts/json.ts';

/** What went wrong with a request, as a value to branch on. */
export class McpError extends Error {
  readonly code: 'mcp.unavailable' | 'mcp.failed' | 'mcp.timed-out';

  constructor(code: McpError['code'], message: string) {
    super(message);
    this.code = code;
  }
}

export interface RpcOptions {
  readonly write: (bytes: Buffer) => void;
  readonly onNotification: (method: string) => void;
  /** Of one message. */
  readonly maxMessageBytes: number;
}

export interface RequestOptions {
  readonly ms: number;
  readonly signal?: AbortSignal;
}

/**
 * JSON-RPC over a server's standard input and output: one JSON document a line. Source: MCP 2025-06-18, stdio
 *
 * Contract: an answer goes to the request with its id and nobody else's; what is no message, or too long a one, ends
 * the connection; a request that is given up is cancelled at the server; requests of the server are refused, but `ping`.
 */
export class RpcConnection {
  readonly #options: RpcOptions;
  readonly #waiting = new Map<number, { resolve(value: JsonValue): void; reject(error: McpError): void }>();
  #lastId = 0;
  #line: Buffer[] = [];
  #lineBytes = 0;
  #failure: McpError | undefined;

  constructor(options: RpcOptions) {
    this.#options = options;
  }

  get isOpen(): boolean {
    return this.#failure === undefined;
  }

  push(bytes: Buffer): void {
    let from = 0;
    for (let end = bytes.indexOf(10); end !== -1 && this.isOpen; end = bytes.indexOf(10, from)) {
      this.#keep(bytes.subarray(from, end));
      from = end + 1;
      const line = Buffer.concat(this.#line).toString('utf8').trim();
      this.#line = [];
      this.#lineBytes = 0;
      if (line !== '') this.#receive(line);
    }
    this.#keep(bytes.subarray(from));
  }

  async request(method: string, params: JsonObject, { ms, signal }: RequestOptions): Promise<JsonValue> {
    if (this.#failure !== undefined) throw this.#failure;
    this.#lastId += 1;
    const id = this.#lastId;
    const answer = new Promise<JsonValue>((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
    const giveUp = (error: McpError): void => {
      const waiting = this.#waiting.get(id);
      this.#waiting.delete(id);
      // The protocol forbids to cancel the first request.
      if (method !== 'initialize') this.notify('notifications/cancelled', { requestId: id, reason: error.message });
      waiting?.reject(error);
    };
    const timer = setTimeout(() => giveUp(new McpError('mcp.timed-out', `${method} had no answer in ${ms} ms`)), ms);
    const stop = (): void => giveUp(new McpError('mcp.failed', `${method} was stopped`));
    signal?.addEventListener('abort', stop, { once: true });
    this.#send({ jsonrpc: '2.0', id, method, params });
    if (signal?.aborted === true) stop();
    try {
      return await answer;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', stop);
    }
  }

  notify(method: string, params: JsonObject = {}): void {
    if (this.isOpen) this.#send({ jsonrpc: '2.0', method, params });
  }

  /** Ends everything that waits. */
  fail(error: McpError): void {
    this.#failure ??= error;
    for (const waiting of this.#waiting.values()) waiting.reject(this.#failure);
    this.#waiting.clear();
  }

  #keep(bytes: Buffer): void {
    if (bytes.length === 0) return;
    this.#lineBytes += bytes.length;
    if (this.#lineBytes > this.#options.maxMessageBytes)
      this.fail(new McpError('mcp.failed', `a message has more than ${this.#options.maxMessageBytes} bytes`));
    else this.#line.push(bytes);
  }

  #receive(line: string): void {
    const message = parseMessage(line);
    if (message === undefined)
      return this.fail(new McpError('mcp.failed', 'it wrote something that is no JSON-RPC message to its standard output'));
    const { id, method } = message;
    if (typeof method === 'string') {
      if (id === undefined) this.#options.onNotification(method);
      else if (method === 'ping') this.#send({ jsonrpc: '2.0', id, result: {} });
      else this.#send({ jsonrpc: '2.0', id, error: { code: -32_601, message: 'This client offers nothing to servers.' } });
      return;
    }
    const waiting = typeof id === 'number' ? this.#waiting.get(id) : undefined;
    // An answer to what was given up, or never asked.
    if (waiting === undefined || typeof id !== 'number') return;
    this.#waiting.delete(id);
    if (message['error'] === undefined) waiting.resolve(message['result'] ?? null);
    else waiting.reject(new McpError('mcp.failed', errorText(message['error'])));
  }

  #send(message: JsonObject): void {
    this.#options.write(Buffer.from(`${JSON.stringify(message)}\n`));
  }
}

function parseMessage(line: string): JsonObject | undefined {
  try {
    const value = JSON.parse(line) as JsonValue;
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
    const message = value as JsonObject;
    return message['jsonrpc'] === '2.0' ? message : undefined;
  } catch {
    // silent-ok: the caller ends the connection
    return undefined;
  }
}

function errorText(error: JsonValue): string {
  const message = typeof error === 'object' && error !== null && 'message' in error ? error.message : error;
  return (typeof message === 'string' ? message : JSON.stringify(message)).slice(0, 2000);
}
