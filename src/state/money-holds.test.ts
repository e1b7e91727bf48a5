import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, parseTenantId, type RunId } from '../contracts/ids.ts';
import { openDatabase } from './database.ts';
import { openMoneyHolds, type MoneyHolds, type MoneyOutcome } from './money-holds.ts';

const acme = parseTenantId('acme');
const beta = parseTenantId('beta');

interface World extends Disposable {
  readonly holds: MoneyHolds;
  /** Of a day of 20 dollars, by a run of this process that wants 5, if nothing else is said. */
  take(change?: Partial<Parameters<MoneyHolds['take']>[0]>): MoneyOutcome & { readonly run: RunId };
  readonly dead: Set<string>;
  spentMicroUsd: number;
}

function newWorld(): World {
  const file = path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'money-')), 'state.db');
  // Two connections, as two processes have.
  const databases = [openDatabase(file), openDatabase(file)];
  const stores = databases.map((database) => openMoneyHolds(database));
  let turn = 0;
  const world: World = {
    holds: stores[0]!,
    take: (change = {}) => {
      turn += 1;
      const wish = { tenant: acme, run: newRunId(turn), owner: 'me', wantedMicroUsd: 5e6, limitMicroUsd: 20e6, ...change };
      const rules = { spentMicroUsd: () => world.spentMicroUsd, isAlive: (owner: string) => !world.dead.has(owner) };
      return { ...stores[turn % 2]!.take(wish, rules), run: wish.run };
    },
    dead: new Set(),
    spentMicroUsd: 0,
    [Symbol.dispose]: () => databases.forEach((database) => database[Symbol.dispose]()),
  };
  return world;
}

function usd(outcome: MoneyOutcome): number | string {
  return outcome.outcome === 'held' ? outcome.microUsd / 1e6 : 'none';
}

test('what runs at work hold together and what was spent is never more than the day, and each later one gets half of the rest', () => {
  using world = newWorld();

  const taken = Array.from({ length: 40 }, () => usd(world.take()));

  const sum = taken.reduce<number>((total, one) => total + (typeof one === 'number' ? one : 0), 0);
  assert.deepEqual(taken.slice(0, 6), [5, 5, 5, 2.5, 1.25, 0.625]);
  assert.ok(sum <= 20 && sum > 19.9, String(sum));
  assert.equal(taken.at(-1), 'none');
  assert.equal(usd(world.take({ tenant: beta })), 5);
});

test('a run that is alone gets all that is left, and what is given back or spent counts', () => {
  using world = newWorld();
  world.spentMicroUsd = 18e6;

  const first = world.take();
  const beside = world.take();
  world.holds.release(first.run);
  world.spentMicroUsd = 19e6;
  const after = world.take();

  assert.deepEqual([usd(first), usd(beside), usd(after)], [2, 'none', 1]);
});

test('what a dead process held is free again, and a run that is taken over holds once', () => {
  using world = newWorld();
  const first = world.take({ owner: 'other', wantedMicroUsd: 20e6 });
  const none = world.take();

  const again = world.take({ run: first.run, owner: 'me', wantedMicroUsd: 20e6 });
  world.holds.release(first.run);
  world.take({ owner: 'other', wantedMicroUsd: 20e6 });
  world.dead.add('other');
  const free = world.take();

  assert.deepEqual([usd(first), usd(none), usd(again), usd(free)], [20, 'none', 20, 5]);
});

test('sabotage: where a dead process counts as alive, its money stays taken', () => {
  using world = newWorld();
  world.take({ owner: 'other', wantedMicroUsd: 20e6 });

  assert.deepEqual(usd(world.take()), 'none');
});
