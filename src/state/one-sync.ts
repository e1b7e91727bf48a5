/**
 * Many callers, one sync: a call resolves with a sync that began after it. While one is under way, all calls share the
 * next. A failure is for those who shared it.
 */
export function oneSync(sync: () => Promise<void>): () => Promise<void> {
  let current: Promise<void> = Promise.resolve();
  let next: Promise<void> | undefined;
  return () => {
    next ??= current.then(begin, begin);
    return next;
  };

  function begin(): Promise<void> {
    next = undefined;
    current = sync();
    return current;
  }
}
