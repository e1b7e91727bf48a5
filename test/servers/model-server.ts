import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** What a model server of either wire does with one request. Without any field it answers `ok`. */
export interface ServerTurn {
  readonly text?: string;
  readonly toolCalls?: readonly { readonly id?: string; readonly name: string; readonly args: unknown }[];
  /** The wire's own word; absent: what fits. `null`: none is ever sent. */
  readonly finishReason?: string | null;
  /** `null`: the server does not say. */
  readonly usage?: { readonly input: number; readonly output: number } | null;
  /** Answers one JSON document although a stream was asked for. */
  readonly ignoresStream?: boolean;
  /** Milliseconds before the first byte, and between two events. */
  readonly latencyMs?: number;
  readonly eventDelayMs?: number;
  /** Any status but 200, with this body. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string;
  /** Sends nothing more from this point, and keeps the connection open. */
  readonly hang?: 'before-headers' | 'after-headers' | 'mid-stream';
  /** Breaks the connection at this point. `clean` ends the body in order, but too early. */
  readonly cut?: 'before-headers' | 'mid-stream' | 'clean';
  /** Instead of an answer, exactly these bytes as the body of a 200. */
  readonly raw?: string | Uint8Array | readonly (string | Uint8Array)[];
  readonly contentType?: string;
  /** `data:` payloads exactly as given, instead of the ones made from `text` and `toolCalls`. */
  readonly events?: readonly unknown[];
}

export interface RecordedRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Record<string, unknown>;
}

export interface ModelServerOptions {
  /** One a request, in order; the last one repeats. Absent: `respond`, or `ok` for ever. */
  readonly turns?: readonly ServerTurn[];
  readonly respond?: (request: RecordedRequest, count: number) => ServerTurn;
  /** Requests without it are answered 401. Absent: none is needed. */
  readonly key?: string;
  readonly latencyMs?: number;
}

export interface ModelServer extends AsyncDisposable {
  readonly origin: string;
  readonly baseUrl: string;
  readonly requests: readonly RecordedRequest[];
  /** Connections that were ever opened. */
  connectionCount(): number;
  close(): Promise<void>;
}

/** One wire: how it names things. */
export interface ServerWire {
  readonly basePath: string;
  readonly answerPath: string;
  keyOf(request: RecordedRequest): string | undefined;
  /** Events as `[event name or empty, data]`; strings are sent as they are. */
  events(turn: ServerTurn, request: RecordedRequest, count: number): readonly (readonly [event: string, data: unknown])[];
  document(turn: ServerTurn, request: RecordedRequest, count: number): unknown;
  error(status: number, message: string): unknown;
}

/** A real HTTP server on 127.0.0.1 that speaks the wire and can misbehave in every way a provider does. */
export async function startModelServer(wire: ServerWire, options: ModelServerOptions): Promise<ModelServer> {
  const requests: RecordedRequest[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    void readRequest(request).then((recorded) => answer({ wire, options, requests, request: recorded, response }));
  });
  server.on('connection', () => void (connections += 1));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const close = (): Promise<void> => stop(server);
  return { origin, baseUrl: origin + wire.basePath, requests, connectionCount: () => connections, close, [Symbol.asyncDispose]: close };
}

function stop(server: Server): Promise<void> {
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}

async function readRequest(request: IncomingMessage): Promise<RecordedRequest> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const text = Buffer.concat(parts).toString('utf8');
  return {
    method: request.method ?? '',
    path: request.url ?? '',
    headers: request.headers,
    body: text === '' ? {} : (JSON.parse(text) as Record<string, unknown>),
  };
}

interface Exchange {
  readonly wire: ServerWire;
  readonly options: ModelServerOptions;
  readonly requests: RecordedRequest[];
  readonly request: RecordedRequest;
  readonly response: ServerResponse;
}

async function answer({ wire, options, requests, request, response }: Exchange): Promise<void> {
  if (options.key !== undefined && wire.keyOf(request) !== options.key)
    return sendJson(response, 401, wire.error(401, `Incorrect API key provided: ${wire.keyOf(request) ?? ''}`));
  const path = request.path.split('?')[0];
  if (request.method === 'GET' && path === `${wire.basePath}${wire.basePath.endsWith('/v1') ? '' : '/v1'}/models`) {
    return sendJson(response, 200, { object: 'list', data: [{ id: 'test-model', object: 'model', created: 0, owned_by: 'test' }] });
  }
  if (request.method !== 'POST' || path !== wire.basePath + wire.answerPath)
    return sendJson(response, 404, wire.error(404, `There is no ${request.method} ${path}.`));
  requests.push(request);
  const count = requests.length;
  const turn = options.respond?.(request, count) ?? options.turns?.[Math.min(count, options.turns.length) - 1] ?? {};
  await wait(turn.latencyMs ?? options.latencyMs ?? 0);
  if (turn.hang === 'before-headers') return;
  if (turn.cut === 'before-headers') return void response.destroy();
  if (turn.status !== undefined)
    return void response
      .writeHead(turn.status, { 'content-type': 'application/json', ...turn.headers })
      .end(turn.body ?? JSON.stringify(wire.error(turn.status, 'The server says so.')));
  if (turn.raw !== undefined) return sendRaw(response, turn);
  if (turn.ignoresStream === true || request.body['stream'] !== true) return sendJson(response, 200, wire.document(turn, request, count));
  await sendEvents(response, turn, turn.events?.map((data) => ['', data] as const) ?? wire.events(turn, request, count));
}

async function sendEvents(response: ServerResponse, turn: ServerTurn, events: readonly (readonly [string, unknown])[]): Promise<void> {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8', ...turn.headers });
  response.flushHeaders();
  if (turn.hang === 'after-headers') return;
  const breaksAt = Math.ceil(events.length / 2);
  for (const [index, [event, data]] of events.entries()) {
    if (index === breaksAt && turn.hang === 'mid-stream') return;
    if (index === breaksAt && turn.cut === 'mid-stream') return void response.destroy();
    if (index === breaksAt && turn.cut === 'clean') return void response.end();
    if (response.destroyed) return;
    response.write(`${event === '' ? '' : `event: ${event}\n`}data: ${typeof data === 'string' ? data : JSON.stringify(data)}\n\n`);
    // Each event reaches the client as a part of its own.
    await (turn.eventDelayMs === undefined ? new Promise((resolve) => setImmediate(resolve)) : wait(turn.eventDelayMs));
  }
  response.end();
}

async function sendRaw(response: ServerResponse, turn: ServerTurn): Promise<void> {
  response.writeHead(200, { 'content-type': turn.contentType ?? 'application/json', ...turn.headers });
  const parts = typeof turn.raw === 'string' || turn.raw instanceof Uint8Array ? [turn.raw] : (turn.raw ?? []);
  for (const part of parts) {
    if (response.destroyed) return;
    if (!response.write(part)) await new Promise<void>((resolve) => response.once('drain', resolve).once('close', resolve));
  }
  response.end();
}

function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
}

function wait(ms: number): Promise<void> {
  return ms === 0 ? Promise.resolve() : new Promise((resolve) => setTimeout(resolve, ms).unref());
}

/** Text in the pieces in which a model sends it. */
export function piecesOf(text: string): readonly string[] {
  return text.match(/[\s\S]{1,7}/g) ?? [];
}
