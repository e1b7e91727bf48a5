/**
 * What was made of inputs, so that a process which works for long makes it once: nothing is looked up by a name or a
 * time that could be the same for other bytes, only by everything it was made of.
 *
 * Contract: `make` depends on `owner` and `key` alone; what it gives is frozen where it is plain data, for everybody gets
 * the same one; what it throws is thrown and not kept; at most `maxEntries` an owner, the oldest goes first.
 */
export interface Memo {
  /** `owner` is what reads the key: a schema, a redactor, a function. */
  of<T>(owner: object, key: string, make: () => T): T;
}

const defaultMaxEntries = 256;

export function createMemo(maxEntries: number = defaultMaxEntries): Memo {
  const owners = new WeakMap<object, Map<string, unknown>>();
  return {
    of<T>(owner: object, key: string, make: () => T): T {
      let known = owners.get(owner);
      if (known === undefined) owners.set(owner, (known = new Map()));
      if (known.has(key)) return known.get(key) as T;
      const made = freezeData(make());
      if (known.size >= maxEntries) known.delete(known.keys().next().value ?? '');
      known.set(key, made);
      return made;
    },
  };
}

/**
 * The same for what depends on two things that nobody changes, and on `key`: found again by their identity, for as long
 * as both are used.
 */
export function ofBoth<T>(
  memo: Memo,
  { one, other, key }: { readonly one: object; readonly other: object; readonly key: string },
  make: () => T,
): T {
  const known = memo.of(one, key, () => new WeakMap<object, { readonly made: T }>());
  const kept = known.get(other) ?? { made: freezeData(make()) };
  known.set(other, kept);
  return kept.made;
}

/** For a command that does one thing and ends: nothing is kept. */
export const forgetful: Memo = { of: (_owner, _key, make) => make() };

/** Lists and plain objects, all the way down; anything with behaviour is left as it is. */
function freezeData<T>(value: T): T {
  if (typeof value !== 'object' || value === null || Object.isFrozen(value)) return value;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (!Array.isArray(value) && prototype !== Object.prototype && prototype !== null) return value;
  Object.freeze(value);
  for (const part of Object.values(value)) freezeData(part);
  return value;
}
