import type Tls from 'node:tls';
import type { SecureContext } from 'node:tls';
import type { Clock } from '../contracts/clock.ts';
import type { LedgerWriter } from '../contracts/ledger.ts';
import { checkGrant, parseEgressGrant, type EgressGrant } from './egress/allowlist.ts';
import { createAuthority } from './egress/certificates.ts';
import { createResolver, systemLookup, type Lookup } from './egress/resolve-host.ts';
import { defaultEgressLimits, type EdgeWorld, type EgressLimits, type EgressRun } from './egress/world.ts';
import type { AskForCredential } from './credentials.ts';
import { createPlaceholders } from './placeholders.ts';
import type { Secret } from './secrets.ts';

export { parseEgressGrant, systemLookup };
export type { EgressGrant, EgressLimits, EgressRun, Lookup };

export interface EdgeOptions {
  readonly run: EgressRun;
  readonly ledger: LedgerWriter;
  readonly clock: Clock;
  /** What the run may reach. Empty: nothing. */
  readonly grants: readonly EgressGrant[];
  /** The secrets that this run may use: it sees their placeholders only. */
  readonly secrets?: readonly Secret[];
  /** Gets a token for each request that carries a secret. Absent: whoever opens the edge holds one already. */
  readonly askForCredential?: AskForCredential;
  /** Default: the system's. */
  readonly lookup?: Lookup;
  /** `host:port` of test servers on this machine, which otherwise nothing reaches. */
  readonly allowLoopback?: readonly string[];
  /** A certificate authority of the owner's own, as PEM, trusted beside the public ones. */
  readonly upstreamCa?: string;
  readonly limits?: Partial<EgressLimits>;
}

/** The edge of one run: what it may reach, with which secrets, recorded. Its doors are `egress-proxy.ts` and `fetch.ts`. */
export interface Edge {
  /** By name of the secret: what stands in its place, for the sandbox's environment. */
  readonly placeholders: ReadonlyMap<string, string>;
  /** Certificates that the sandbox must trust: the public ones and this run's own. PEM. */
  certificates(): string;
  /** For the doors of this room. */
  readonly world: EdgeWorld;
}

/**
 * Opens the edge of a run. Nothing listens and nothing is connected yet.
 * @throws FixRequestError for a grant that cannot be used.
 */
export function openEdge(options: EdgeOptions): Edge {
  const limits = { ...defaultEgressLimits, ...options.limits };
  const allowLoopback = options.allowLoopback ?? [];
  const placeholders = createPlaceholders(options.secrets ?? []);
  const { upstreamCa } = options;
  const authority = once(() => createAuthority(options.clock.now()));
  const contexts = new Map<string, SecureContext>();
  const world: EdgeWorld = {
    run: options.run,
    ledger: options.ledger,
    clock: options.clock,
    limits,
    grants: options.grants.map(checkGrant),
    resolve: createResolver({ lookup: options.lookup ?? systemLookup, allowLoopback, lookupMs: limits.lookupMs }),
    placeholders,
    askForCredential: options.askForCredential ?? (async () => {}),
    allowLoopback,
    trusted: once(() => trustedContext(upstreamCa)),
    authority,
    contextFor: (host) => {
      const context = contexts.get(host) ?? tlsModule().createSecureContext({ ...authority().issue(host), minVersion: 'TLSv1.2' });
      contexts.set(host, context);
      return context;
    },
  };
  return {
    placeholders: new Map(placeholders.map(({ secret, token }) => [secret.name, token])),
    certificates: () => [...tlsModule().rootCertificates, upstreamCa ?? '', authority().certificatePem].join('\n'),
    world,
  };
}

function trustedContext(upstreamCa: string | undefined): SecureContext | undefined {
  if (upstreamCa === undefined) return undefined;
  const tls = tlsModule();
  return tls.createSecureContext({ ca: [...tls.rootCertificates, upstreamCa], minVersion: 'TLSv1.2' });
}

function tlsModule(): typeof Tls {
  return process.getBuiltinModule('node:tls');
}

function once<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
