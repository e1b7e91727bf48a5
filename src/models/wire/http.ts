import type { Agent, ClientRequest, IncomingMessage, RequestOptions } from 'node:http';
import { loadHttp } from './agent.ts';
import { networkError, streamCutError, timeoutError } from './failures.ts';

/** Where a provider listens, how long it may take, and the kept-alive connections to it. */
export interface Endpoint {
  readonly provider: string;
  readonly url: URL;
  readonly headers: Readonly<Record<string, string>>;
  readonly firstByteMs: number;
  readonly idleMs: number;
  readonly agent: Agent;
}

export interface Sending {
  readonly method: 'GET' | 'POST';
  readonly body?: string | undefined;
  readonly signal: AbortSignal;
}

export interface HttpReply {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  /** The body as it arrives. Ends early only by throwing. */
  readonly chunks: AsyncIterable<Uint8Array>;
  /** Gives the connection up. Harmless after the end. */
  close(): void;
}

/**
 * One request. Redirects are not followed: a key must not travel to a host that nobody named.
 *
 * Contract: an aborted signal ends it at once, at any point, with the signal's reason; `firstByteMs` runs until the
 * first byte of the body, `idleMs` from part to part; a connection that ends before the body does throws.
 * @throws ModelError of class transient_network
 */
export async function sendRequest(endpoint: Endpoint, { method, body, signal }: Sending): Promise<HttpReply> {
  const life = openLife(endpoint, signal);
  try {
    const response = await exchange(endpoint, { method, body, life, mayReuse: true });
    return {
      status: response.statusCode ?? 0,
      headers: response.headers,
      chunks: readChunks(endpoint, response, life),
      close: () => {
        life.end();
        response.destroy();
      },
    };
  } catch (thrown) {
    life.end();
    throw life.reason() ?? networkError(endpoint.provider, endpoint.url, thrown);
  }
}

/** What can end an exchange from outside: the caller's signal and the two clocks. */
interface Life {
  watch(request: ClientRequest): void;
  /** The next byte is awaited for at most this long. */
  await(ms: number): void;
  end(): void;
  /** What to report instead of the socket's own error; undefined when nothing here ended the exchange. */
  reason(): Error | undefined;
}

function openLife(endpoint: Endpoint, signal: AbortSignal): Life {
  signal.throwIfAborted();
  let request: ClientRequest | undefined;
  let reason: Error | undefined;
  let timer: NodeJS.Timeout | undefined;
  const stop = (error: Error): void => {
    reason ??= error;
    request?.destroy(error);
  };
  const onAbort = (): void =>
    stop(signal.reason instanceof Error ? signal.reason : new Error('The request was aborted.', { cause: signal.reason }));
  signal.addEventListener('abort', onAbort, { once: true });
  const arm = (ms: number): void => {
    clearTimeout(timer);
    timer = setTimeout(() => stop(timeoutError(endpoint.provider, endpoint.url, ms)), ms);
  };
  arm(endpoint.firstByteMs);
  return {
    watch: (opened) => void (request = opened),
    await: arm,
    end: () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
    },
    reason: () => reason,
  };
}

interface Exchange {
  readonly method: string;
  readonly body: string | undefined;
  readonly life: Life;
  /** A kept-alive connection that the server closed meanwhile fails before any answer: one fresh try is not a retry. */
  readonly mayReuse: boolean;
}

function exchange(endpoint: Endpoint, { method, body, life, mayReuse }: Exchange): Promise<IncomingMessage> {
  const { request: open } = loadHttp(endpoint.url);
  const bytes = body === undefined ? undefined : Buffer.from(body);
  const options: RequestOptions = {
    method,
    agent: endpoint.agent,
    headers: { ...endpoint.headers, ...(bytes ? { 'content-type': 'application/json', 'content-length': bytes.length } : {}) },
  };
  return new Promise((resolve, reject) => {
    const request = open(endpoint.url, options);
    life.watch(request);
    request.once('response', resolve);
    request.on('error', (error: NodeJS.ErrnoException) => {
      const isStale =
        mayReuse && request.reusedSocket && (error.code === 'ECONNRESET' || error.code === 'EPIPE') && life.reason() === undefined;
      if (isStale) resolve(exchange(endpoint, { method, body, life, mayReuse: false }));
      else reject(error);
    });
    request.end(bytes);
  });
}

async function* readChunks(endpoint: Endpoint, response: IncomingMessage, life: Life): AsyncGenerator<Uint8Array> {
  try {
    for await (const chunk of response.iterator({ destroyOnReturn: false })) {
      life.await(endpoint.idleMs);
      yield chunk as Uint8Array;
    }
  } catch (thrown) {
    throw life.reason() ?? streamCutError(endpoint.provider, thrown);
  } finally {
    life.end();
    if (!response.complete && !response.destroyed) await drain(response);
  }
}

/**
 * The reader has seen all it needs. What is left is usually one empty part that is already on its way: reading it
 * keeps the connection for the next call, which is worth a few milliseconds and no more.
 */
function drain(response: IncomingMessage): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(() => response.destroy(), 25);
    response.once('close', () => {
      clearTimeout(timer);
      resolve();
    });
    response.on('error', () => undefined);
    response.resume();
  });
}
