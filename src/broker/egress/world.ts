import type { SecureContext } from 'node:tls';
import type { Clock } from '../../contracts/clock.ts';
import type { LedgerWriter } from '../../contracts/ledger.ts';
import type { AskForCredential } from '../credentials.ts';
import type { Placeholder } from '../placeholders.ts';
import type { EgressGrant } from './allowlist.ts';
import type { CertificateAuthority } from './certificates.ts';
import type { Resolver } from './resolve-host.ts';

export interface EgressLimits {
  readonly headBytes: number;
  /** Until a head is there, once its first byte is. */
  readonly headMs: number;
  readonly connectMs: number;
  readonly lookupMs: number;
  /** Until an answer's head. */
  readonly answerMs: number;
  /** Without a byte in any direction. */
  readonly idleMs: number;
  /** Of one connection in all. */
  readonly totalMs: number;
  readonly bytesUp: number;
  readonly bytesDown: number;
  /** Of a body in which a secret is to be put. */
  readonly swapBytes: number;
  /** At one time. */
  readonly connections: number;
  readonly requestsPerConnection: number;
  /** After so many the proxy takes nothing more: a run that is refused so often is not working. */
  readonly refusals: number;
}

export const defaultEgressLimits: EgressLimits = {
  headBytes: 32 * 1024,
  headMs: 10_000,
  connectMs: 10_000,
  lookupMs: 5_000,
  answerMs: 120_000,
  idleMs: 120_000,
  totalMs: 15 * 60_000,
  bytesUp: 64 * 1024 * 1024,
  bytesDown: 512 * 1024 * 1024,
  swapBytes: 1024 * 1024,
  connections: 64,
  requestsPerConnection: 1000,
  refusals: 1000,
};

/** Whose traffic it is, for the record. */
export interface EgressRun {
  readonly run: string;
  readonly session: string;
  readonly agent: string;
}

/** Everything that the parts of the edge share for one run. */
export interface EdgeWorld {
  readonly run: EgressRun;
  readonly ledger: LedgerWriter;
  readonly clock: Clock;
  readonly limits: EgressLimits;
  readonly grants: readonly EgressGrant[];
  readonly resolve: Resolver;
  readonly placeholders: readonly Placeholder[];
  /** Asked before a secret is sent. */
  readonly askForCredential: AskForCredential;
  readonly allowLoopback: readonly string[];
  /** Trusted beside the built-in roots, for servers with a private authority. Parsing all roots takes 15 ms: made once, on first use. */
  readonly trusted: () => SecureContext | undefined;
  /** Made on first use. */
  readonly authority: () => CertificateAuthority;
  /** What stands for a host towards the sandbox; made once for each. */
  readonly contextFor: (host: string) => SecureContext;
}
