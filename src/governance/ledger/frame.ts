import assert from 'node:assert/strict';
import { hash } from 'node:crypto';
import type { LedgerEvent } from '../../contracts/ledger.ts';

/**
 * The bytes of a record. A line is
 *
 *   {"seq":N,"prev":"<64 hex>","type":…,"at":…, … ,"hash":"<64 hex>"}
 *
 * with `type` and `at` right behind `prev`, and `hash` the SHA-256 of every byte of the line before `,"hash":`. Those
 * bytes hold the previous record's hash, so each hash covers the whole stream before it. Everything sits at places
 * that can be found without parsing JSON, which is what makes verification fast.
 */
export const hashBytes = 64;
/** `,"hash":"` + 64 hex digits + `"}`. */
export const suffixBytes: number = ',"hash":"'.length + hashBytes + '"}'.length;
/** Records hold hashes, not payloads: a longer one is a mistake of its writer. */
export const maxRecordBytes = 65_536;

export interface EncodedRecord {
  readonly line: string;
  readonly hash: string;
}

/** What the first record of a stream names as its predecessor; the name is in it, so that streams cannot be swapped. */
export function genesisHash(stream: string): string {
  return hash('sha256', `clawhold ledger v1 stream ${stream}`, 'hex');
}

export function encodeRecord(seq: number, prev: string, event: LedgerEvent): EncodedRecord {
  const { type, at, ...rest } = event;
  const body = `{"seq":${seq},"prev":"${prev}",${JSON.stringify({ type, at, ...rest }).slice(1, -1)}`;
  assert(body.length < maxRecordBytes, `a ledger record of type ${type} has ${body.length} characters; it must hold hashes, not payloads`);
  const digest = hash('sha256', body, 'hex');
  return { line: `${body},"hash":"${digest}"}`, hash: digest };
}

/** A record's place and hash; undefined when the line is not a whole record whose hash is right. */
export function checkRecord(line: string): { readonly seq: number; readonly prev: string; readonly hash: string } | undefined {
  const match = /^\{"seq":(0|[1-9]\d{0,15}),"prev":"([0-9a-f]{64})",.*,"hash":"([0-9a-f]{64})"\}$/.exec(line);
  if (match === null) return undefined;
  const [, seq = '', prev = '', digest = ''] = match;
  const body = Buffer.from(line).subarray(0, -suffixBytes);
  return hash('sha256', body, 'hex') === digest ? { seq: Number(seq), prev, hash: digest } : undefined;
}

/**
 * Whether bytes behind the last newline are what a crash in the middle of a write leaves: nothing, zeros, or the
 * beginning of the record that comes next. A whole record with anything but a newline behind it was changed, not torn.
 */
export function isTornRecord(bytes: Uint8Array, prefix = '{"seq":'): boolean {
  const text = Buffer.from(bytes).toString('latin1');
  if (/^\0*$/.test(text)) return true;
  const known = text.slice(0, prefix.length).replace(/\0+$/, '');
  return prefix.startsWith(known) && !/,"hash":"[0-9a-f]{64}"\}[^]/.test(text);
}
