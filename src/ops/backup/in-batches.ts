/** Runs `work` for each item, `width` at a time; stops at the first failure. */
export async function inBatches<T>(items: AsyncIterable<T> | Iterable<T>, width: number, work: (item: T) => Promise<void>): Promise<void> {
  let batch: Promise<void>[] = [];
  for await (const item of items) {
    batch.push(work(item));
    if (batch.length < width) continue;
    await settle(batch);
    batch = [];
  }
  await settle(batch);
}

/** Waits for all, also when one fails: nobody writes any more when the caller tidies up. */
async function settle(batch: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(batch)).find((one) => one.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
}
