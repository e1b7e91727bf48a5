import { createHash, hash } from 'node:crypto';
import canonicalize from 'canonicalize';

export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue };
export type JsonObject = { readonly [key: string]: JsonValue };

/** A SHA-256 as 64 lower-case hex digits. */
export type Sha256 = string & { readonly brand: 'Sha256' };

/** Deeper than any honest document; what walks a value by recursion is safe up to here. */
export const maxJsonDepth = 100;

/** Whether lists and objects are nested deeper than `depth`. Never looks further down than that. */
export function isDeeperThan(value: JsonValue, depth: number): boolean {
  if (value === null || typeof value !== 'object') return false;
  if (depth === 0) return true;
  for (const element of Object.values(value)) if (isDeeperThan(element, depth - 1)) return true;
  return false;
}

/** Whether a value is what JSON can say: nothing would be lost or changed if it were written and read. @throws RangeError when it goes in a circle */
export function isJsonValue(value: unknown): value is JsonValue {
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || value === null) return value === null || typeof value === 'string' || typeof value === 'boolean';
  // Not `every`, which passes over holes.
  if (Array.isArray(value)) return value.findIndex((one) => !isJsonValue(one)) < 0;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null) return false;
  return Object.values(value).every(isJsonValue);
}

/** The one spelling of a JSON value, so that equal values have equal hashes. Source: RFC 8785. */
export function canonicalJson(value: unknown): string {
  const ordered = inOrder(value, maxJsonDepth);
  const quick = ordered === unusual ? undefined : JSON.stringify(ordered);
  // A half of a pair, which cannot be spelled, is escaped so.
  if (quick !== undefined && !quick.includes('\\ud')) return quick;
  const text = canonicalize(value);
  if (text === undefined) throw new TypeError('A value without a JSON form cannot be hashed.');
  return text;
}

const unusual: unique symbol = Symbol('unusual');

/**
 * The same value with the keys of every object in order, for `JSON.stringify` to write as the standard does; what is in
 * order stays itself. `unusual`: it holds what takes more care, or keys that an object puts first whatever the order.
 */
function inOrder(value: unknown, depth: number): unknown {
  if (typeof value !== 'object' || value === null) return isPlain(value) ? value : unusual;
  if (depth === 0) return unusual;
  if (Array.isArray(value)) return listInOrder(value, depth);
  const prototype: unknown = Object.getPrototypeOf(value);
  if ((prototype !== Object.prototype && prototype !== null) || 'toJSON' in value) return unusual;
  return objectInOrder(value as Record<string, unknown>, depth);
}

function isPlain(value: unknown): boolean {
  return value === null || typeof value === 'string' || typeof value === 'boolean' || (typeof value === 'number' && Number.isFinite(value));
}

function listInOrder(list: readonly unknown[], depth: number): unknown {
  let copy: unknown[] | undefined;
  for (let index = 0; index < list.length; index += 1) {
    const given = list[index];
    const ordered = inOrder(given, depth - 1);
    if (ordered === unusual) return unusual;
    if (ordered !== given) (copy ??= [...list])[index] = ordered;
  }
  return copy ?? list;
}

function objectInOrder(object: Record<string, unknown>, depth: number): unknown {
  const keys = Object.keys(object);
  const isSorted = keys.every((key, index) => index === 0 || (keys[index - 1] as string) < key);
  if (!isSorted) keys.sort();
  let copy: Record<string, unknown> | undefined = isSorted ? undefined : {};
  for (let index = 0; index < keys.length; index += 1) {
    const key = keys[index] as string;
    if (isOutOfOrder(key)) return unusual;
    const given = object[key];
    const ordered = given === undefined ? undefined : inOrder(given, depth - 1);
    if (ordered === unusual) return unusual;
    if (ordered !== given) copy ??= Object.fromEntries(keys.slice(0, index).map((before) => [before, object[before]]));
    if (copy !== undefined && ordered !== undefined) copy[key] = ordered;
  }
  return copy ?? object;
}

/** Keys like numbers come first in an object, and `__proto__` is none of a copy. */
function isOutOfOrder(key: string): boolean {
  const first = key.charCodeAt(0);
  return first === 0x5f || (first >= 0x30 && first <= 0x39);
}

export function sha256(bytes: string | Uint8Array): Sha256 {
  return hash('sha256', bytes, 'hex') as Sha256;
}

/** Hash of the canonical JSON form. */
export function hashJson(value: unknown): Sha256 {
  return sha256(canonicalJson(value));
}

/** For bytes that arrive in parts. */
export function newSha256(): { update(bytes: Uint8Array): void; digest(): Sha256 } {
  const inner = createHash('sha256');
  return {
    update: (bytes) => void inner.update(bytes),
    digest: () => inner.digest('hex') as Sha256,
  };
}
