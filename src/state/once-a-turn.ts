/** Asks for the same key once in a turn of the event loop. */
export interface OnceATurn<K, V> {
  (key: K): V;
  /** What is asked for next is looked at again. */
  forget(): void;
}

/**
 * For what every request looks at several times. A request that is read in a turn of the event loop began before it, so
 * whatever was changed before the request is seen by the first look of the turn. What `look` throws is not kept.
 */
export function onceATurn<K, V>(look: (key: K) => V): OnceATurn<K, V> {
  const seen = new Map<K, V>();
  const ask = (key: K): V => {
    if (seen.has(key)) return seen.get(key) as V;
    const value = look(key);
    if (seen.size === 0) setImmediate(() => seen.clear());
    seen.set(key, value);
    return value;
  };
  return Object.assign(ask, { forget: () => seen.clear() });
}
