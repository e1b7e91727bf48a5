/**
 * Group commit: resolves with what `work` returns when that is committed, and rejects with what it throws.
 *
 * Contract: `work` only reads and writes the database, and may be done twice: when one of a group throws, all of it is
 * undone, and each is done again in a transaction of its own. Nothing of the group is there before the promise resolves.
 */
export type InGroup = <T>(work: () => T) => Promise<T>;

interface Waiting {
  readonly work: () => unknown;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

export interface GroupCommit {
  readonly inGroup: InGroup;
  /** Does not wait for the end of the turn. */
  commitNow(): void;
}

/**
 * Many runs reach the same step in the same turn of the event loop, because one sync made all of their records durable:
 * then one transaction costs what each of them would cost alone.
 *
 * @param transact Does all of it or nothing, in one transaction.
 */
export function openGroupCommit(transact: <T>(work: () => T) => T): GroupCommit {
  let waiting: Waiting[] = [];
  const commitNow = (): void => {
    const group = waiting;
    waiting = [];
    if (group.length > 0) commit(transact, group);
  };
  return {
    inGroup: <T>(work: () => T) =>
      new Promise<T>((resolve, reject) => {
        if (waiting.length === 0) setImmediate(commitNow);
        waiting.push({ work, resolve: resolve as Waiting['resolve'], reject });
      }),
    commitNow,
  };
}

function commit(transact: <T>(work: () => T) => T, group: readonly Waiting[]): void {
  let isOneOfThem = false;
  const attempt = ({ work }: Waiting): unknown => {
    try {
      return work();
    } catch (error) {
      isOneOfThem = true;
      throw error;
    }
  };
  try {
    const values = transact(() => group.map(attempt));
    for (const [index, { resolve }] of group.entries()) resolve(values[index]);
  } catch (error) {
    // A transaction that cannot begin or end fails for all of them: none is tried again.
    if (isOneOfThem && group.length > 1) for (const one of group) commit(transact, [one]);
    else for (const { reject } of group) reject(error);
  }
}
