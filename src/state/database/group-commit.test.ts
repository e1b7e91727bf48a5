import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { openDatabase, type Database } from '../database.ts';
import { openGroupCommit } from './group-commit.ts';

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'group-')), 'state.db');
}

function add(database: Database, id: string): string {
  database.run(`INSERT INTO sessions (id, tenant, agent, created_ms) VALUES (?, 'b', 'c', 1)`, id);
  return id;
}

function ids(database: Database): unknown[] {
  return database.all('SELECT id FROM sessions ORDER BY id').map((row) => (row as { id: string }).id);
}

/** Counts the transactions that a group takes. */
function counted(database: Database) {
  let transactions = 0;
  const group = openGroupCommit((work) => {
    transactions += 1;
    return database.transact(work);
  });
  return { ...group, transactions: () => transactions };
}

test('what is asked for in one turn is one transaction, and is there for others when it resolves, not before', async () => {
  const file = scratch();
  using database = openDatabase(file);
  using other = openDatabase(file);
  const { inGroup, transactions } = counted(database);

  const asked = ['one', 'two', 'three'].map(async (id) => await inGroup(() => add(database, id)));
  await Promise.resolve();
  const before = ids(other);
  const values = await Promise.all(asked);

  assert.deepEqual([before, values, transactions()], [[], ['one', 'two', 'three'], 1]);
  assert.deepEqual(ids(other), ['one', 'three', 'two']);

  await inGroup(() => add(database, 'later'));
  assert.equal(transactions(), 2);
});

test('one that throws halfway leaves nothing behind and undoes none of the others', async () => {
  using database = openDatabase(scratch());
  const half = (): never => {
    add(database, 'half');
    throw new Error('it broke');
  };

  for (const position of [0, 1, 2]) {
    const works = ['first', 'second'].map((id) => () => add(database, `${id} ${position}`));
    works.splice(position, 0, half);
    const outcomes = await Promise.allSettled(works.map(async (work) => await database.inGroup(work)));

    assert.deepEqual(outcomes.map(({ status }) => status).toSpliced(position, 1), ['fulfilled', 'fulfilled']);
    assert.match(String((outcomes[position] as PromiseRejectedResult).reason), /it broke/);
  }
  assert.deepEqual(ids(database), ['first 0', 'first 1', 'first 2', 'second 0', 'second 1', 'second 2']);
});

test('a transaction that cannot begin fails once for all of them, not once for each', async () => {
  const file = scratch();
  using database = openDatabase(file);
  using other = openDatabase(file);
  database.run('PRAGMA busy_timeout = 0');
  const { inGroup, transactions } = counted(database);

  other.run('BEGIN IMMEDIATE');
  const outcomes = await Promise.allSettled(['one', 'two'].map(async (id) => await inGroup(() => add(database, id))));
  other.run('ROLLBACK');

  for (const outcome of outcomes) assert.match(String((outcome as PromiseRejectedResult).reason), /locked/);
  assert.deepEqual([transactions(), ids(database)], [1, []]);
});

test('closing the database commits what waits for the end of the turn', async () => {
  const file = scratch();
  let asked: Promise<string>;
  {
    using database = openDatabase(file);
    asked = database.inGroup(() => add(database, 'last'));
  }

  assert.equal(await asked, 'last');
  using again = openDatabase(file);
  assert.deepEqual(ids(again), ['last']);
});
