import { EgressError } from './egress-error.ts';

export interface HostPort {
  /** Lower case, at least two labels, never an address. */
  readonly host: string;
  readonly port: number;
}

const label = /^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/;

/**
 * Why a text is no name of a host; undefined when it is one. What a URL parser would make into an address (decimal,
 * octal, hexadecimal, short), or into another name (case, dots, Unicode), is refused, so that all who read the name
 * read the same.
 */
export function hostFault(host: string): string | undefined {
  if (host.length > 253) return 'is longer than a name can be';
  if (/[^a-z0-9._-]/.test(host))
    return /[^\x21-\x7e]/.test(host) ? 'is not in ASCII (write it in its xn-- form)' : 'holds a letter that no name has';
  if (host.endsWith('.')) return 'ends with a dot';
  const labels = host.split('.');
  const last = labels.at(-1) ?? '';
  if (/^[0-9]+$|^0x[0-9a-f]*$/.test(last)) return 'is an address, and only names are allowed';
  if (labels.length < 2) return 'is a single word, and only full names are allowed';
  return labels.every((each) => label.test(each)) ? undefined : 'is not a well-formed name';
}

/** `host:port`; the port may be left out when there is a default. @throws EgressError `egress.bad-host` */
export function parseHostPort(text: string, defaultPort?: number): HostPort {
  const [, rawHost = '', rawPort] = /^([^:]*)(?::([0-9]{1,5}))?$/.exec(text) ?? [undefined, text, '0'];
  const host = rawHost.toLowerCase();
  const port = rawPort === undefined ? defaultPort : Number(rawPort);
  const fault = hostFault(host) ?? (port === undefined || port < 1 || port > 65_535 ? 'has no valid port' : undefined);
  if (fault === undefined && port !== undefined) return { host, port };
  throw new EgressError(
    'egress.bad-host',
    `The host ${JSON.stringify(text.slice(0, 300))} is refused, because it ${fault}. Name the host as its grant does.`,
  );
}

export function hostPortText({ host, port }: HostPort): string {
  return `${host}:${port}`;
}
