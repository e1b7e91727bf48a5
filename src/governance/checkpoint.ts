import { createPublicKey, verify } from 'node:crypto';
import * as z from 'zod/mini';
import { sha256 } from '../contracts/json.ts';
import type { SigningKey } from './ledger/signing-key.ts';

/** The last record of a stream: `seq` 0 and the stream's genesis hash when it has none yet. */
export interface StreamHead {
  readonly seq: number;
  readonly hash: string;
}

/**
 * A signed statement: "at this time the streams of this ledger ended here". It is one line of `checkpoints.jsonl`:
 *
 *   {"at":…,"prev":"<hash of the line before, or 64 zeros>","heads":{…},"publicKey":"<64 hex>","signature":"<128 hex>"}
 *
 * The signature (Ed25519) covers a fixed prefix and every byte of the line before `,"signature":`.
 */
export interface Checkpoint {
  readonly at: string;
  readonly prev: string;
  readonly heads: Readonly<Record<string, StreamHead>>;
  readonly publicKey: string;
  readonly signature: string;
}

export const noCheckpoint: string = '0'.repeat(64);
const domain = 'clawhold checkpoint v1\n';
const hex64 = z.string().check(z.regex(/^[0-9a-f]{64}$/));
const shape = z.strictObject({
  at: z.string(),
  prev: hex64,
  heads: z.record(z.string().check(z.regex(/^s\d{2,6}$/)), z.strictObject({ seq: z.int().check(z.nonnegative()), hash: hex64 })),
  publicKey: hex64,
  signature: z.string().check(z.regex(/^[0-9a-f]{128}$/)),
});
const suffixLength = ',"signature":"'.length + 128 + '"}'.length;

export function signCheckpoint(
  content: { readonly at: string; readonly prev: string; readonly heads: Readonly<Record<string, StreamHead>> },
  key: SigningKey,
): string {
  const { at, prev, heads } = content;
  const body = JSON.stringify({ at, prev, heads, publicKey: key.publicKey }).slice(0, -1);
  return `${body},"signature":"${key.sign(domain + body)}"}`;
}

export function checkpointHash(line: string): string {
  return sha256(line);
}

/** The checkpoint, or one clause that says what is wrong with it. */
export function parseCheckpoint(line: string): Checkpoint | string {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line);
  } catch {
    return 'it is not JSON';
  }
  const checkpoint = shape.safeParse(parsed).data;
  if (checkpoint === undefined) return 'it is not a checkpoint';
  const body = line.slice(0, -suffixLength);
  if (`${body},"signature":"${checkpoint.signature}"}` !== line) return 'its signature is not at its end';
  if (!isSigned(domain + body, checkpoint)) return `its signature is not of the key ${checkpoint.publicKey} that it names`;
  return checkpoint;
}

function isSigned(text: string, { publicKey, signature }: { readonly publicKey: string; readonly signature: string }): boolean {
  // Source: RFC 8037. The 32 bytes as they are, without OpenSSL's DER decoder.
  const jwk = { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(publicKey, 'hex').toString('base64url') };
  return verify(null, Buffer.from(text), createPublicKey({ key: jwk, format: 'jwk' }), Buffer.from(signature, 'hex'));
}
