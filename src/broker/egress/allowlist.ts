import { FixRequestError } from '../../contracts/errors.ts';
import { EgressError } from '../egress-error.ts';
import { hostFault, hostPortText, parseHostPort, type HostPort } from '../host-name.ts';

/** One thing that a run may reach. */
export interface EgressGrant {
  /** A name, or `*.example.org` for its subdomains. */
  readonly host: string;
  readonly port: number;
  /** Upper case. Given: the traffic is inspected. */
  readonly methods?: readonly string[];
  /** `/repos/acme/**`: `*` within one segment, `**` at the end for all below. Given: the traffic is inspected. */
  readonly paths?: readonly string[];
}

/** `host` (port 443), `host:port` or `*.domain[:port]`, as in a grant of agent.yaml. @throws FixRequestError */
export function parseEgressGrant(text: string, more: Pick<EgressGrant, 'methods' | 'paths'> = {}): EgressGrant {
  const isSuffix = text.startsWith('*.');
  try {
    const { host, port } = parseHostPort(isSuffix ? text.slice(2) : text, 443);
    return checkGrant({ host: isSuffix ? `*.${host}` : host, port, ...more });
  } catch (error) {
    if (!(error instanceof EgressError)) throw error;
    const message = `The host ${JSON.stringify(text)} cannot be granted, because it must be host, host:port or *.domain:port, and no address. Correct it in agent.yaml.`;
    throw new FixRequestError('broker.bad-egress-grant', message, { cause: error });
  }
}

/** @throws FixRequestError for a grant that would admit more than it says. */
export function checkGrant(grant: EgressGrant): EgressGrant {
  const name = grant.host.startsWith('*.') ? grant.host.slice(2) : grant.host;
  const isPort = Number.isInteger(grant.port) && grant.port > 0 && grant.port < 65_536;
  const badPath = grant.paths?.find((path) => !/^\/[!$&'()+,\-./0-9:;=@A-Z_a-z~%*]*$/.test(path) || /\*\*(?!$)/.test(path));
  const badMethod = grant.methods?.find((method) => !/^[A-Z]{3,10}$/.test(method) || method === 'CONNECT' || method === 'TRACE');
  const fault = hostFault(name) ?? (isPort ? undefined : 'has no valid port') ?? badPath ?? badMethod;
  if (fault === undefined) return grant;
  const message = `The egress grant ${JSON.stringify(grant)} cannot be used, because of this: ${fault}. Correct it.`;
  throw new FixRequestError('broker.bad-egress-grant', message);
}

/** The grants that name a host and port; a suffix never admits a label in the disguise of punycode. */
export function grantsFor(grants: readonly EgressGrant[], { host, port }: HostPort): readonly EgressGrant[] {
  return grants.filter((grant) => {
    if (grant.port !== port) return false;
    if (!grant.host.startsWith('*.')) return grant.host === host;
    return host.endsWith(grant.host.slice(1)) && !host.split('.').some((label) => label.startsWith('xn--'));
  });
}

/** Whether one of the grants has the method and the path. */
export function admitsRequest(grants: readonly EgressGrant[], method: string, path: string): boolean {
  return grants.some(
    (grant) => (grant.methods?.includes(method) ?? true) && (grant.paths?.some((pattern) => pathMatches(pattern, path)) ?? true),
  );
}

export function notGranted(target: HostPort, what = ''): EgressError {
  return new EgressError(
    'egress.not-granted',
    `${what}${hostPortText(target)} is refused, because no grant of this run names it. Ask a human to add it to agent.yaml.`,
  );
}

function pathMatches(pattern: string, path: string): boolean {
  const isTree = pattern.endsWith('/**');
  const want = (isTree ? pattern.slice(0, -3) : pattern).split('/');
  const have = path.split('/');
  if (isTree ? have.length <= want.length : have.length !== want.length) return false;
  return want.every((segment, index) => segmentMatches(segment, have[index] ?? ''));
}

function segmentMatches(pattern: string, segment: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === segment;
  const first = parts[0] ?? '';
  const last = parts.at(-1) ?? '';
  if (segment.length < first.length + last.length || !segment.startsWith(first) || !segment.endsWith(last)) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = segment.indexOf(part, at);
    if (found === -1 || found + part.length > segment.length - last.length) return false;
    at = found + part.length;
  }
  return true;
}
