import type * as Http from 'node:http';

/** The environment variables by which an operator names a proxy; read by Node's own agent. */
const proxyNames = ['HTTP_PROXY', 'HTTPS_PROXY', 'NO_PROXY', 'http_proxy', 'https_proxy', 'no_proxy'] as const;

/**
 * Kept-alive connections to one origin. Idle sockets do not keep the process running, so nothing must be closed.
 * The import is lazy, through `getBuiltinModule`, because start-up pays for it otherwise (docs/decisions/0006).
 */
export function openAgent(url: URL, env: Readonly<Record<string, string | undefined>>): Http.Agent {
  const { Agent: AgentOf } = loadHttp(url);
  const proxyEnv = isLocalhost(url) ? {} : Object.fromEntries(proxyNames.flatMap((name) => (env[name] ? [[name, env[name]]] : [])));
  return new AgentOf({ keepAlive: true, maxSockets: 64, ...(Object.keys(proxyEnv).length > 0 ? { proxyEnv } : {}) });
}

export function isLocalhost(url: URL): boolean {
  const host = url.hostname;
  return host === 'localhost' || host === '[::1]' || host.endsWith('.localhost') || /^127(?:\.\d{1,3}){3}$/.test(host);
}

/** Node's client for the URL's scheme, loaded on first use. */
export function loadHttp(url: URL): typeof Http {
  return url.protocol === 'https:'
    ? (process.getBuiltinModule('node:https') as unknown as typeof Http)
    : process.getBuiltinModule('node:http');
}
