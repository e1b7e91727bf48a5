import type { Sha256 } from '../../contracts/json.ts';
import type { Objects } from '../objects.ts';

export interface RecentPutsOptions {
  /** For so long after a text was put, putting it again looks at nothing. */
  readonly trustMs: number;
  /** Of a clock that only goes on. */
  readonly nowMs: () => number;
}

const maxTexts = 512;
/** Longer ones are hashed each time: they would be kept in memory for little. */
const maxLength = 64 * 1024;

/**
 * A store that remembers what it was given a moment ago: runs that begin one after the other pin the same files. Whoever
 * takes an object away behind its back is noticed with the first put after `trustMs`, and by every `get`.
 */
export function withRecentPuts(objects: Objects, { trustMs, nowMs }: RecentPutsOptions): Objects {
  const recent = new Map<string, { readonly sha: Sha256; readonly seenMs: number }>();
  return {
    ...objects,
    put: async (bytes) => {
      if (typeof bytes !== 'string' || bytes.length > maxLength) return await objects.put(bytes);
      const known = recent.get(bytes);
      if (known !== undefined && nowMs() - known.seenMs < trustMs) return known.sha;
      const seenMs = nowMs();
      const sha = await objects.put(bytes);
      recent.delete(bytes);
      if (recent.size >= maxTexts) recent.delete(recent.keys().next().value ?? '');
      recent.set(bytes, { sha, seenMs });
      return sha;
    },
    remove: async (sha) => {
      recent.clear();
      await objects.remove(sha);
      recent.clear();
    },
  };
}
