import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import path from 'node:path';
import type { HttpDoor } from '../broker/client.ts';
import type { Edge, EgressGrant, Lookup } from '../broker/edge.ts';
import type { Secret } from '../broker/secrets.ts';
import { systemClock } from '../contracts/clock.ts';
import type { EgressWay } from '../tools/run-shell.ts';
import type { AgentRoots } from '../worker/agent-of-record.ts';
import type { RunNames } from '../worker/worker-context.ts';
import type { App } from './app.ts';
import type { RunCredentials } from './open-broker.ts';
import { bridgeSource, nodeInside } from './egress-bridge.ts';

/** The way out of a run's sandbox: named before the sandbox is chosen, opened when it starts. */
export interface RunEgress {
  /** Seen inside, read-only, as `/run/egress`. */
  readonly socketDir: string;
  readonly readOnly: readonly { readonly host: string; readonly inside: string }[];
  open(): Promise<EgressWay>;
}

export interface RunEdgesOptions {
  readonly names: RunNames;
  readonly app: Pick<App, 'secrets' | 'broker' | 'ledger' | 'tenant' | 'config'>;
  readonly runtimeDir: string;
  /** Asks for the right to use a secret, in the name of the run. */
  readonly credentials: () => Promise<RunCredentials>;
}

/**
 * What a run can reach: through http.fetch the hosts of that grant, from its sandbox those of `sandbox.network`. Each has
 * an edge of its own, so that neither widens the other. Nothing is opened before it is used.
 */
export function openRunEdges(
  agent: Pick<AgentRoots, 'config'>,
  options: RunEdgesOptions,
): { readonly egress?: RunEgress; readonly http?: HttpDoor } {
  const network = agent.config.sandbox?.network ?? 'none';
  const fetchGrant = agent.config.grants?.['http.fetch'];
  return {
    ...(network === 'none' ? {} : { egress: openRunEgress({ tool: 'shell.exec', ...network }, options) }),
    ...(fetchGrant === undefined
      ? {}
      : { http: lazyDoor(async () => openEdgeFor(options, 'http.fetch', (await import('../broker/fetch.ts')).fetchGrants(fetchGrant))) }),
  };
}

function lazyDoor(edge: () => Promise<Edge>): HttpDoor {
  let door: Promise<HttpDoor> | undefined;
  return {
    fetch: async (request, how) => {
      door ??= (async () => (await import('../broker/client.ts')).openHttpDoor(await edge()))();
      return await (await door).fetch(request, how);
    },
  };
}

/** An edge for these grants, with the secrets that name one of its hosts, and no other. */
async function openEdgeFor({ app, names, credentials }: RunEdgesOptions, tool: string, grants: readonly EgressGrant[]): Promise<Edge> {
  const { openEdge, systemLookup } = await import('../broker/edge.ts');
  const { egress } = await app.config();
  const allowLoopback = egress?.loopback ?? [];
  const secrets = (await heldSecrets(app)).filter(({ hosts }) => hosts.some((host) => grants.some((grant) => reaches(grant, host))));
  const here = new Set(allowLoopback.map((hostPort) => hostPort.slice(0, hostPort.lastIndexOf(':'))));
  const lookup: Lookup = async (host) => (here.has(host) ? ['127.0.0.1'] : await systemLookup(host));
  const askForCredential = (await credentials()).askFor(tool);
  const { run, session, agent } = names;
  const edge = { run: { run, session, agent }, ledger: await app.ledger(), clock: systemClock, allowLoopback, lookup };
  return openEdge({ ...edge, grants, secrets, askForCredential });
}

function reaches(grant: EgressGrant, hostPort: string): boolean {
  const [host = '', port] = hostPort.split(':');
  const isHost = grant.host.startsWith('*.') ? host.endsWith(grant.host.slice(1)) : host === grant.host;
  return isHost && Number(port) === grant.port;
}

async function heldSecrets({ secrets, tenant }: RunEdgesOptions['app']): Promise<readonly Secret[]> {
  const store = await secrets();
  const found = await Promise.all((await store.list(tenant)).map(async ({ name }) => await store.get(tenant, name)));
  return found.filter((secret) => secret !== undefined);
}

interface Network {
  /** In whose name secrets are asked for: `shell.exec`, or `mcp.<server>`. */
  readonly tool: string;
  readonly hosts: readonly string[];
  readonly methods?: readonly string[] | undefined;
}

/** The way out of one sandbox to these hosts. */
export function openRunEgress(network: Network, options: RunEdgesOptions): RunEgress {
  // Nobody can list the folder above or guess this name, and the socket inside belongs to whoever the commands run as.
  const socketDir = path.join(options.runtimeDir, `e-${randomBytes(12).toString('hex')}`);
  return {
    socketDir,
    readOnly: [{ host: fs.realpathSync(process.execPath), inside: nodeInside }],
    open: async () => {
      const [{ parseEgressGrant }, { startEgressProxy }] = await Promise.all([
        import('../broker/edge.ts'),
        import('../broker/egress-proxy.ts'),
      ]);
      const { tool, hosts, methods } = network;
      const grants = hosts.map((host) => parseEgressGrant(host, methods === undefined ? {} : { methods }));
      const edge = await openEdgeFor(options, tool, grants);
      const proxy = await startEgressProxy(edge, { dir: socketDir });
      fs.writeFileSync(path.join(socketDir, 'ca.pem'), edge.certificates(), { mode: 0o644 });
      fs.chmodSync(socketDir, 0o711);
      fs.chmodSync(proxy.socketPath, 0o666);
      return {
        env: { ...proxyEnv, ...Object.fromEntries(edge.placeholders) },
        placeholders: edge.placeholders,
        wrap: (argv) => [nodeInside, '-e', bridgeSource, ...argv],
        [Symbol.asyncDispose]: async () => {
          await proxy[Symbol.asyncDispose]();
          fs.rmSync(socketDir, { recursive: true, force: true });
        },
      };
    },
  };
}

const proxyUrl = 'http://127.0.0.1:3128';
const certificates = '/run/egress/ca.pem';

/** Every spelling that common clients read. */
export const proxyEnv = {
  http_proxy: proxyUrl,
  https_proxy: proxyUrl,
  HTTP_PROXY: proxyUrl,
  HTTPS_PROXY: proxyUrl,
  ALL_PROXY: proxyUrl,
  NODE_USE_ENV_PROXY: '1',
  NODE_EXTRA_CA_CERTS: certificates,
  SSL_CERT_FILE: certificates,
  CURL_CA_BUNDLE: certificates,
  REQUESTS_CA_BUNDLE: certificates,
  GIT_SSL_CAINFO: certificates,
} as const;
