import { RequestRefusedError } from '../request-refused-error.ts';

type Headers = Readonly<Record<string, string | readonly string[] | undefined>>;

/** What a request may name as its server: `name` or `name:port`, in lower case. */
export interface AllowedHosts {
  has(host: string): boolean;
}

const loopbackNames = ['localhost', '127.0.0.1', '[::1]'];

/** Loopback and the listener's own address with the port, and what the owner configured, with the port or as it stands there. */
export function allowedHosts(options: {
  readonly address: string;
  readonly port: number;
  readonly hosts: readonly string[];
}): AllowedHosts {
  const { address, port, hosts } = options;
  const own = address.includes(':') ? `[${address}]` : address;
  const names = [...loopbackNames, own].map((name) => `${name}:${port}`);
  const configured = hosts.map((name) => name.toLowerCase()).flatMap((name) => [name, `${name}:${port}`]);
  const all = new Set([...names, ...configured, ...(port === 80 ? [...loopbackNames, own] : [])]);
  return { has: (host) => all.has(host.toLowerCase()) };
}

/**
 * Refuses what a browser sends on behalf of a page that is not ours: a name that leads here by DNS rebinding, another
 * origin, a cross-site form. It is the first check of every request, before anybody is identified.
 * @throws RequestRefusedError
 */
export function checkSource(
  hosts: AllowedHosts,
  request: { readonly method: string; readonly url: string; readonly headers: Headers },
): void {
  const { method, url, headers } = request;
  // A target may bear a name of its own, which then counts for other readers of the request. Source: RFC 9112, 3.2.2.
  const named = [headers['host'], ...(url.startsWith('/') || url === '*' ? [] : [/^\w+:\/\/([^/?#]*)/.exec(url)?.[1]])];
  const wrong = named.findIndex((host) => typeof host !== 'string' || !hosts.has(host));
  if (named[0] === undefined) {
    const code = 'gateway.no-host';
    throw new RequestRefusedError(400, code, 'The request has no Host header, and it must name this server. Send it.');
  }
  if (wrong !== -1) {
    const shown = JSON.stringify(String(named[wrong]).slice(0, 80));
    const code = 'gateway.unknown-host';
    const message = `This server is not ${shown}: the Host header must name it, so that no other name can lead a browser here. Use 127.0.0.1 and its port, or add the name to serve.hosts.`;
    throw new RequestRefusedError(421, code, message);
  }
  const origin = headers['origin'];
  if (origin !== undefined && !(typeof origin === 'string' && hosts.has(origin.replace(/^https?:\/\//, ''))))
    throw foreign('Origin', origin);
  const site = headers['sec-fetch-site'];
  if (method !== 'GET' && site !== undefined && site !== 'same-origin' && site !== 'none') throw foreign('Sec-Fetch-Site', site);
}

function foreign(header: string, value: string | readonly string[]): RequestRefusedError {
  const code = 'gateway.foreign-origin';
  const message = `A page of another origin may not use this server, and ${header} says ${JSON.stringify(String(value).slice(0, 80))}. Call it from a program, or from its own pages.`;
  return new RequestRefusedError(403, code, message);
}
