/** Runs works of the same key one after the other. */
export type Locks = (key: string) => <T>(work: () => Promise<T>) => Promise<T>;

export function newLocks(): Locks {
  const last = new Map<string, Promise<unknown>>();
  return (key) => async (work) => {
    const before = last.get(key) ?? Promise.resolve();
    const mine = before.then(work);
    const settled = settle(mine);
    last.set(key, settled);
    try {
      return await mine;
    } finally {
      if (last.get(key) === settled) last.delete(key);
    }
  };
}

async function settle(work: Promise<unknown>): Promise<void> {
  await work.catch(() => {}); // silent-ok: the caller has the rejection
}
