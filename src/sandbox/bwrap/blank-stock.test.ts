import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Blank } from './blank.ts';
import { type BlankStock, newBlankStock } from './blank-stock.ts';

interface Made {
  readonly uid: number;
  isRemoved: boolean;
  hasEnded: boolean;
}

const user = { uid: 12_345, gid: 12_345 };

/** Blanks that only remember whether they are there. */
function countingStock(change: { readonly maxIdleMs?: number; readonly makeMs?: number } = {}): { stock: BlankStock; made: Made[] } {
  const made: Made[] = [];
  const make = async (asked: typeof user): Promise<Blank> => {
    const one: Made = { uid: asked.uid, isRemoved: false, hasEnded: false };
    made.push(one);
    await sleep(change.makeMs ?? 0);
    const bwrap = {
      get hasEnded() {
        return one.hasEnded;
      },
    };
    const remove = async (): Promise<void> => {
      one.isRemoved = true;
      await Promise.resolve();
    };
    return { user: asked, bwrap, remove } as unknown as Blank;
  };
  const { maxIdleMs = 60_000 } = change;
  return { stock: newBlankStock({ make, refillAfterMs: 1, maxIdleMs }), made };
}

async function startTwice(stock: BlankStock): Promise<void> {
  stock.refillLater(user);
  stock.refillLater(user);
  await sleep(30);
}

test('a process that starts one sandbox has nothing made ahead', async () => {
  const { stock, made } = countingStock();

  stock.refillLater(user);
  await sleep(30);

  assert.equal(made.length, 0);
  await stock.close();
});

test('from the second start on one is kept, and it is handed out once', async () => {
  const { stock, made } = countingStock();
  await startTwice(stock);
  stock.refillLater(user);
  await sleep(30);

  const [first, second] = [stock.take(user), stock.take(user)];

  assert.deepEqual([made.length, first?.user.uid, second, made[0]?.isRemoved], [1, 12_345, undefined, false]);
  await stock.close();
});

test('one that was made for another user, or whose process has ended, is removed and not handed out', async () => {
  const { stock, made } = countingStock();
  for (const spoil of [() => ({ ...user, uid: 54_321 }), () => ({ ...user, gid: 54_321 })]) {
    await startTwice(stock);
    assert.equal(stock.take(spoil()), undefined);
  }
  await startTwice(stock);
  made[2]!.hasEnded = true;

  assert.equal(stock.take(user), undefined);
  await stock.close();
  assert.deepEqual(
    made.map(({ isRemoved }) => isRemoved),
    [true, true, true],
  );
});

test('one that nobody takes is removed after a while, without anybody asking', async () => {
  const { stock, made } = countingStock({ maxIdleMs: 5 });

  await startTwice(stock);
  while (made[0]?.isRemoved !== true) await sleep(5);

  assert.equal(stock.take(user), undefined);
  await stock.close();
});

test('closing removes what is kept and what is being made, and nothing is made afterwards', async () => {
  const { stock: full, made: kept } = countingStock();
  await startTwice(full);
  const { stock: busy, made: underWay } = countingStock({ makeMs: 50 });
  await startTwice(busy);

  await full.close();
  await busy.close();
  full.refillLater(user);
  await sleep(30);

  assert.deepEqual([kept.map(({ isRemoved }) => isRemoved), underWay.map(({ isRemoved }) => isRemoved)], [[true], [true]]);
});
