import type { Sha256 } from '../contracts/json.ts';

/**
 * Bytes by their hash.
 *
 * Contract, checked for every driver by objects/conformance.ts:
 * - `put` resolves when the bytes are durable, and the same bytes again cost no second copy;
 * - `get` returns the bytes that were put;
 * - `get` of bytes that were changed in the store rejects with AskHumanError;
 * - `get` of a hash that was never put rejects with AskHumanError;
 * - `put` of the right bytes repairs a damaged object;
 * - `has` tells what is there, and `remove` takes it away;
 * - a hash that is not 64 hex digits is refused before any path is made of it.
 */
export interface Objects {
  put(bytes: string | Uint8Array): Promise<Sha256>;
  /** @throws AskHumanError when the object is missing or damaged. */
  get(sha: Sha256): Promise<Uint8Array>;
  has(sha: Sha256): Promise<boolean>;
  /** Removing what is not there is no failure. */
  remove(sha: Sha256): Promise<void>;
}
