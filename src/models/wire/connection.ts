import type { ProviderStatus } from '../../contracts/model.ts';
import { reasonOf } from '../../contracts/errors.ts';
import { maskSecret } from '../../governance/mask-secret.ts';
import { createRedactor, type Redactor } from '../../governance/redact.ts';
import { shownUrl, statusError } from './failures.ts';
import { isLocalhost, openAgent } from './agent.ts';
import { sendRequest, type Endpoint, type HttpReply, type Sending } from './http.ts';
import { listOf, objectOf, textOf } from './loose.ts';
import { answerLimits, parseObject, readAll } from './read-answer.ts';
import { retryAfterMs } from './retry-after.ts';

export interface ConnectionOptions {
  readonly provider: string;
  /** Paths are resolved beneath it, its query is kept. */
  readonly baseUrl: URL;
  readonly key: string | undefined;
  /** The variable that holds the key, for advice. */
  readonly keyEnv: string | undefined;
  readonly isConfigured: boolean;
  /** How the wire carries the key, and what else it always sends. */
  readonly headers: Readonly<Record<string, string>>;
  /** A status outside the standard ones by which this wire says 503. */
  readonly overloadedStatus?: number;
  readonly firstByteMs?: number | undefined;
  readonly idleMs?: number | undefined;
  readonly env: Readonly<Record<string, string | undefined>>;
}

export interface StreamReply extends HttpReply {
  readonly isEventStream: boolean;
}

/** One provider's server: requests that answer 2xx, and errors without keys for everything else. */
export interface Connection {
  readonly provider: string;
  readonly baseUrl: URL;
  readonly isConfigured: boolean;
  readonly isLocal: boolean;
  status(): ProviderStatus;
  checkHealth(path: string, signal: AbortSignal): Promise<{ isHealthy: boolean; detail: string }>;
  /** The ids that GET `path` lists. @throws ModelError */
  listModels(path: string, signal: AbortSignal): Promise<readonly string[]>;
  /** @throws ModelError for every status but 2xx */
  post(path: string, body: string, signal: AbortSignal): Promise<StreamReply>;
}

export function openConnection(options: ConnectionOptions): Connection {
  const { provider, baseUrl, isConfigured } = options;
  const send = openSender(options);
  return {
    provider,
    baseUrl,
    isConfigured,
    isLocal: isLocalhost(baseUrl),
    status: () => statusOf(options),
    checkHealth: async (path, signal) => {
      try {
        const reply = await send(path, { method: 'GET', signal });
        reply.close();
        return { isHealthy: true, detail: `${shownUrl(baseUrl)} answered ${reply.status}.` };
      } catch (thrown) {
        signal.throwIfAborted();
        return { isHealthy: false, detail: reasonOf(thrown) };
      }
    },
    listModels: async (path, signal) => {
      const reply = await send(path, { method: 'GET', signal });
      const root = parseObject(provider, await readAll(provider, reply.chunks));
      return listOf(root['data']).flatMap((each) => textOf(objectOf(each)?.['id']) ?? []);
    },
    post: (path, body, signal) => send(path, { method: 'POST', body, signal }),
  };
}

function statusOf({ provider, baseUrl, isConfigured, key }: ConnectionOptions): ProviderStatus {
  return {
    name: provider,
    isScripted: false,
    isConfigured,
    baseUrl: shownUrl(baseUrl),
    ...(key === undefined ? {} : { key: maskSecret(key) }),
  };
}

function openSender(options: ConnectionOptions): (path: string, sending: Sending) => Promise<StreamReply> {
  const { provider, baseUrl, key } = options;
  const redactor = createRedactor({ secrets: key === undefined ? [] : [{ name: 'key', value: key }], patterns: [] });
  const agent = openAgent(baseUrl, options.env);
  const endpoint: Omit<Endpoint, 'url'> = {
    provider,
    headers: { accept: 'text/event-stream, application/json', 'user-agent': 'clawhold', ...options.headers },
    firstByteMs: options.firstByteMs ?? 120_000,
    idleMs: options.idleMs ?? 60_000,
    agent,
  };
  return async (path, sending) => {
    const reply = await sendRequest({ ...endpoint, url: beneath(baseUrl, path) }, sending);
    if (reply.status < 200 || reply.status > 299) throw await refusal(options, redactor, reply);
    return { ...reply, isEventStream: /^\s*text\/event-stream/i.test(String(reply.headers['content-type'] ?? '')) };
  };
}

function beneath(baseUrl: URL, path: string): URL {
  const url = new URL(baseUrl);
  url.pathname = `${url.pathname.replace(/\/+$/, '')}/${path}`;
  return url;
}

/** The provider's own words, cut and without keys: servers like to repeat the key that they refuse. */
async function refusal(options: ConnectionOptions, redactor: Redactor, reply: HttpReply): Promise<Error> {
  const said = await readAll(options.provider, reply.chunks, answerLimits.error).catch(() => '');
  const header = reply.headers['retry-after'];
  return statusError(options.provider, {
    status: reply.status,
    said: redactor.text(withoutKey(errorText(said), options.key)).slice(0, 300),
    retryAfterMs: retryAfterMs(header, Date.now()),
    keyEnv: options.keyEnv,
    ...(options.overloadedStatus === reply.status ? { errorClass: 'transient_server' as const } : {}),
  });
}

/** The redactor ignores short values; a local server's key may be one. */
function withoutKey(text: string, key: string | undefined): string {
  return key === undefined || key.length < 4 ? text : text.replaceAll(key, maskSecret(key));
}

/** `{"error":{"message":…}}`, `{"error":"…"}`, `{"message":…}`, `{"detail":…}` or plain text, on one line. */
function errorText(body: string): string {
  let said = body;
  try {
    const root = objectOf(JSON.parse(body)) ?? {};
    const error = root['error'];
    const detail = listOf(root['detail']).map((each) => textOf(objectOf(each)?.['msg']) ?? '');
    said =
      textOf(objectOf(error)?.['message']) ??
      textOf(error) ??
      textOf(root['message']) ??
      textOf(root['detail']) ??
      (detail.join(', ') || body);
  } catch {
    // silent-ok: an error page is shown as it is
  }
  return said.replaceAll(/[\s\p{Cc}\p{Cf}]+/gu, ' ').trim();
}
