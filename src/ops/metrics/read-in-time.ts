/** What a reader says within the time; undefined when it failed or took longer. */
export async function readInTime<T>(read: () => T | Promise<T>, maxMs: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((done) => {
    timer = setTimeout(() => done(undefined), maxMs);
  });
  try {
    return await Promise.race([Promise.resolve(read()), late]);
  } catch {
    // silent-ok: the caller counts it under the metric's name.
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}
