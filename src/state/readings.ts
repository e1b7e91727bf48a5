import fs from 'node:fs';
import { monotonicMs } from '../contracts/clock.ts';

/** To be called before a place is looked at: a file, a folder for its names, or what is not there. Absolute. */
export type Look = (place: string) => void;

/**
 * What was read of files, so that a process which works for long reads them again only when they changed.
 *
 * Contract:
 * - a change of any place that `read` looked at is seen by every call that begins after it, also when size and time of
 *   modification were kept, and when it came in the same tick of the file system's clock;
 * - the same thing is given to everybody, so nobody changes it;
 * - what `read` throws is thrown and not kept; at most `maxEntries` an owner, the oldest goes first.
 *
 * A place is the same when device, inode, kind and rights, size, and both times are. The time of the last change is set
 * by the kernel alone, from a clock that ticks every few milliseconds: what changed a moment before it was looked at
 * could change again without showing it. So such a reading is given once and not kept (git calls it "racily clean").
 */
export interface Readings {
  /** `owner` is the function that reads, `key` what it reads. */
  of<T>(owner: object, key: string, read: (look: Look) => Promise<T>): Promise<T>;
  /** The same for whoever began then (of `monotonicMs`): what was looked at after it needs no second look. Undefined: now. */
  since(sinceMs: number | undefined): Readings;
}

export interface ReadingsOptions {
  readonly maxEntries?: number;
  /** How old a change must be before what was read after it is kept; only a test takes less. */
  readonly settledMs?: number;
  /** Replaces the look at the disk, for tests of a coarse clock. */
  readonly identityOf?: (place: string) => Identity;
}

/** What an entry of the file system looks like; undefined: there is none. */
export type Identity = Pick<fs.Stats, 'dev' | 'ino' | 'mode' | 'size' | 'mtimeMs' | 'ctimeMs'> | undefined;

interface Reading {
  readonly value: unknown;
  readonly places: readonly (readonly [place: string, identity: Identity])[];
  /** When all places were found to be the same last: before the first of them was looked at. */
  seenMs: number;
}

/** Far more than a tick of any kernel's clock, and than the step by which that clock lags behind the one that is asked. */
const defaultSettledMs = 100;
const defaultMaxEntries = 256;

export function openReadings(options: ReadingsOptions = {}): Readings {
  const { maxEntries = defaultMaxEntries, settledMs = defaultSettledMs, identityOf = lstat } = options;
  const owners = new WeakMap<object, Map<string, Reading>>();
  const isUnchanged = (known: Reading, sinceMs: number): boolean => {
    if (known.seenMs >= sinceMs) return true;
    const seenMs = monotonicMs();
    if (!known.places.every(([place, identity]) => isSame(identityOf(place), identity))) return false;
    known.seenMs = seenMs;
    return true;
  };
  const since = (sinceMs: number): Readings => ({
    since: (later = Infinity) => since(later),
    of: async <T>(owner: object, key: string, read: (look: Look) => Promise<T>): Promise<T> => {
      let kept = owners.get(owner);
      if (kept === undefined) owners.set(owner, (kept = new Map()));
      const known = kept.get(key);
      if (known !== undefined && isUnchanged(known, sinceMs)) return known.value as T;
      const seenMs = monotonicMs();
      const places = new Map<string, Identity>();
      const beforeMs = Date.now() - settledMs;
      const value = await read((place) => {
        // The first look counts: what changes after it is not what was read.
        if (!places.has(place)) places.set(place, identityOf(place));
      });
      kept.delete(key);
      if ([...places.values()].some((identity) => identity !== undefined && identity.ctimeMs >= beforeMs)) return value;
      if (kept.size >= maxEntries) kept.delete(kept.keys().next().value ?? '');
      kept.set(key, { value, places: [...places], seenMs });
      return value;
    },
  });
  return since(Infinity);
}

/** For a command that does one thing and ends: nothing is kept. */
export const unkept: Readings = { of: async (_owner, _key, read) => await read(() => undefined), since: () => unkept };

/** Of the place itself, also when it is a link. */
function lstat(place: string): Identity {
  return fs.lstatSync(place, { throwIfNoEntry: false });
}

function isSame(now: Identity, then: Identity): boolean {
  if (now === undefined || then === undefined) return now === then;
  return (
    now.ino === then.ino &&
    now.ctimeMs === then.ctimeMs &&
    now.mtimeMs === then.mtimeMs &&
    now.size === then.size &&
    now.mode === then.mode &&
    now.dev === then.dev
  );
}
