import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseTenantId } from '../contracts/ids.ts';
import { sha256 } from '../contracts/json.ts';
import { openDatabase } from './database.ts';
import { openKeptAnswers, type KeptAnswers } from './kept-answers.ts';

const key = { tenant: parseTenantId('default'), principal: 'tok_1', key: 'POST /runs k' };
const kept = (answer: string, keptMs: number) => ({ request: sha256(answer), answer, keptMs });

function open(t: TestContext): KeptAnswers {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'kept-'));
  const database = openDatabase(path.join(dir, 'state.db'));
  t.after(() => {
    database[Symbol.dispose]();
    fs.rmSync(dir, { recursive: true });
  });
  return openKeptAnswers(database);
}

test('the first answer of a key stays until it is too old', (t) => {
  const answers = open(t);

  answers.put(key, kept('first', 1000), 0);
  answers.put(key, kept('second', 2000), 500);
  assert.equal(answers.get(key, 500)?.answer, 'first');
  assert.equal(answers.get(key, 1001), undefined);

  answers.put(key, kept('third', 9000), 5000);
  assert.equal(answers.get(key, 5000)?.answer, 'third');
});

test('an answer is for its tenant, its principal and its key only', (t) => {
  const answers = open(t);

  answers.put(key, kept('mine', 1000), 0);

  assert.equal(answers.get({ ...key, tenant: parseTenantId('other') }, 0), undefined);
  assert.equal(answers.get({ ...key, principal: 'tok_2' }, 0), undefined);
  assert.equal(answers.get({ ...key, key: 'POST /runs K' }, 0), undefined);
});

test('what is too old is forgotten', (t) => {
  const answers = open(t);
  answers.put(key, kept('old', 1000), 0);
  answers.put({ ...key, key: 'new' }, kept('new', 3000), 0);

  assert.equal(answers.forget(2000), 1);
  assert.equal(answers.get({ ...key, key: 'new' }, 0)?.answer, 'new');
});
