/** One at a time for each key, in the order of the calls; keys do not wait for each other. */
export interface Turns {
  inTurn<T>(key: string, work: () => Promise<T>): Promise<T>;
}

export function openTurns(): Turns {
  const tails = new Map<string, Promise<unknown>>();
  return {
    inTurn: async (key, work) => {
      const mine = (tails.get(key) ?? Promise.resolve()).then(work, work);
      tails.set(key, mine);
      try {
        return await mine;
      } finally {
        if (tails.get(key) === mine) tails.delete(key);
      }
    },
  };
}
