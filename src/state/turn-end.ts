/**
 * Resolves when this turn of the event loop is over, for all who ask in it together: what they do then they do in one go,
 * and one look at files serves them all, for it comes after each of them began.
 */
export function openTurnEnd(): () => Promise<void> {
  let end: Promise<void> | undefined;
  const begin = (): Promise<void> =>
    new Promise((resolve) => {
      setImmediate(() => {
        end = undefined;
        resolve();
      });
    });
  return () => (end ??= begin());
}
