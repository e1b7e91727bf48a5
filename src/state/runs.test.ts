import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId, type RunId } from '../contracts/ids.ts';
import { taskIdOf } from '../contracts/task.ts';
import { openDatabase } from './database.ts';
import { createHome } from './home.ts';
import { rebuildRuns } from './rebuild-runs.ts';
import { renderRunFile } from './run-file.ts';
import { openRuns, type RunRow } from './runs.ts';
import { openSessions } from './sessions.ts';

const tenant = parseTenantId('default');
const scout = parseAgentId('scout');
const session = newSessionId(1);

function row(createdMs: number, change: Partial<RunRow> = {}): RunRow {
  return {
    id: newRunId(createdMs),
    session,
    tenant,
    agent: scout,
    state: 'accepted',
    door: 'cli',
    model: 'scripted/demo',
    inputPreview: 'hello',
    reason: '',
    createdMs,
    turns: 0,
    toolCalls: 0,
    inputTokens: 0,
    outputTokens: 0,
    ...change,
  };
}

function scratch(): string {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'runs-'));
}

test('a row comes back as it was, with absent fields absent', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const bare = row(1);
  const full = row(2, {
    startedMs: 3,
    endedMs: 4,
    costMicroUsd: 0,
    owner: 'claim',
    reason: 'because',
    fence: 2,
    task: taskIdOf(newRunId(2)),
    taskFence: 5,
  });

  runs.insert(bare);
  runs.insert(full);

  assert.deepEqual(runs.get(bare.id), bare);
  assert.deepEqual(runs.get(full.id), full);
  assert.equal(runs.stateOf(full.id), full.state);
  assert.equal(runs.get(newRunId(3)), undefined);
  assert.throws(() => runs.insert(bare));
});

test('an update changes what it names, and null empties', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const before = row(1, { owner: 'me' });
  runs.insert(before);

  assert.equal(runs.update(before.id, { state: 'done', turns: 3, endedMs: 9, costMicroUsd: 12, owner: null }), true);
  assert.equal(runs.update(before.id, {}), true);
  assert.equal(runs.update(newRunId(5), { turns: 1 }), false);

  const { owner: _owner, ...rest } = before;
  assert.deepEqual(runs.get(before.id), { ...rest, state: 'done', turns: 3, endedMs: 9, costMicroUsd: 12 });
});

test('a list is newest first, filtered, and paged without gap or repetition', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const rows = Array.from({ length: 25 }, (_, index) =>
    row(1000 + index, { state: index % 2 === 0 ? 'done' : 'failed', agent: parseAgentId(index < 20 ? 'scout' : 'scribe') }),
  );
  for (const each of rows) runs.insert(each);

  const seen: RunId[] = [];
  for (let before: RunId | undefined; ;) {
    const page = runs.list({ tenant, agent: scout, state: 'done', limit: 3, ...(before === undefined ? {} : { before }) });
    if (page.length === 0) break;
    seen.push(...page.map(({ id }) => id));
    before = page.at(-1)!.id;
  }

  assert.deepEqual(
    seen,
    rows
      .filter(({ agent, state }) => agent === scout && state === 'done')
      .map(({ id }) => id)
      .toReversed(),
  );
  assert.equal(runs.latest({ tenant })?.id, rows.at(-1)!.id);
  assert.equal(runs.latest({ session, agent: scout })?.id, rows[19]!.id);
  assert.deepEqual(runs.list({ tenant: parseTenantId('other') }), []);
  assert.equal(runs.list().length, 25);
});

test('of two processes that take a run over, one gets it', () => {
  const file = path.join(scratch(), 'db');
  using one = openDatabase(file);
  using two = openDatabase(file);
  const run = row(1, { owner: 'dead' });
  openRuns(one).insert(run);

  const won = [
    openRuns(one).takeOver(run.id, { owner: 'dead' }, { owner: 'a' }),
    openRuns(two).takeOver(run.id, { owner: 'dead' }, { owner: 'b' }),
  ];

  assert.deepEqual(won, [true, false]);
  assert.equal(openRuns(two).get(run.id)?.owner, 'a');
  const free = row(2);
  openRuns(one).insert(free);
  assert.deepEqual(
    [openRuns(two).takeOver(free.id, {}, { owner: 'b' }), openRuns(one).takeOver(free.id, {}, { owner: 'a' })],
    [true, false],
  );
});

test('a removed run is gone', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const run = row(1);
  runs.insert(run);

  assert.deepEqual([runs.remove(run.id), runs.remove(run.id), runs.get(run.id)], [true, false, undefined]);
});

test('when the database was deleted, runs and sessions come back from the files, and bad files are named', () => {
  const home = createHome(scratch());
  const rows = [row(1000, { state: 'done', costMicroUsd: 5 }), row(2000, { state: 'waiting' })];
  for (const each of rows) {
    fs.mkdirSync(home.runDir(tenant, each.id), { recursive: true });
    fs.writeFileSync(path.join(home.runDir(tenant, each.id), 'run.json'), renderRunFile(each, { bundle: ['output.md'] }));
  }
  const bad = home.runDir(tenant, newRunId(3000));
  const moved = home.runDir(tenant, newRunId(4000));
  for (const [dir, text] of [
    [bad, '{"id": 7}'],
    [moved, renderRunFile(rows[0]!)],
  ] as const) {
    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'run.json'), text);
  }
  using database = openDatabase(home.databaseFile);
  const [runs, sessions] = [openRuns(database), openSessions(database)];

  for (let times = 0; times < 2; times += 1) {
    const result = rebuildRuns({ home, runs, sessions });
    assert.equal(result.found, 2);
    assert.equal(result.problems.length, 2);
    assert.match(result.problems[0] ?? '', new RegExp(bad));
  }

  assert.deepEqual(runs.list(), rows.toReversed());
  assert.deepEqual(sessions.latest(tenant, scout), { id: session, tenant, agent: scout, createdMs: 1000, lastRun: rows[1]!.id });
});

test('sessions are listed newest first, by tenant and agent', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const sessions = openSessions(database);
  const made = [1, 2, 3].map((createdMs) => ({
    id: newSessionId(createdMs),
    tenant,
    agent: createdMs === 2 ? parseAgentId('scribe') : scout,
    createdMs,
  }));
  for (const each of made) {
    sessions.create(each);
    sessions.create({ ...each, createdMs: 99 });
  }

  assert.deepEqual(sessions.list({ tenant, agent: scout }), [made[2], made[0]]);
  assert.deepEqual(sessions.list({ tenant, before: made[2]!.id, limit: 1 }), [made[1]]);
  assert.deepEqual(sessions.get(made[0]!.id), made[0]);
  assert.equal(sessions.latest(parseTenantId('other'), scout), undefined);
});

test('opened for a tenant, a run of another is as unknown as one that never was, to every function', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const mine = row(1, { tenant: parseTenantId('acme') });
  openRuns(database).insert(mine);
  const theirs = openRuns(database, parseTenantId('beta'));

  assert.deepEqual([theirs.get(mine.id), theirs.stateOf(mine.id)], [undefined, undefined]);
  assert.deepEqual([theirs.list(), theirs.list({ tenant: mine.tenant }), theirs.list({ session })], [[], [], []]);
  assert.equal(theirs.latest(), undefined);
  assert.equal(theirs.update(mine.id, { state: 'done' }), false);
  assert.equal(theirs.update(mine.id, {}), false);
  assert.equal(theirs.takeOver(mine.id, {}, { owner: 'me' }), false);
  assert.equal(theirs.remove(mine.id), false);
  for (const write of [theirs.insert, theirs.put, theirs.accept]) assert.throws(() => write(mine), /written as one of beta/);
  assert.deepEqual(openRuns(database, mine.tenant).get(mine.id), mine);
});

test('an accepted run is put once and never replaces a row that is there', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const accepted = row(1);

  const first = runs.accept(accepted);
  runs.update(accepted.id, { state: 'running' });
  const second = runs.accept(accepted);

  assert.deepEqual([first, second, runs.get(accepted.id)?.state], [true, false, 'running']);
});

test('the holder is told by owner and fence: one process that takes a run twice is two holders', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const first = { owner: 'claim', fence: 1 };
  const second = { owner: 'claim', fence: 2, task: taskIdOf(newRunId(9)), taskFence: 4 };
  const run = row(1, first);
  runs.insert(run);

  const taken = [runs.takeOver(run.id, run, second), runs.takeOver(run.id, run, second)];

  assert.deepEqual(taken, [true, false]);
  assert.deepEqual(runs.get(run.id), { ...run, ...second });
  assert.deepEqual([runs.isHeldBy(run.id, first), runs.isHeldBy(run.id, second)], [false, true]);
});

test('an admitted run is listed with its session, both or neither', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const sessions = openSessions(database);
  const broken = openRuns({
    ...database,
    run: (sql, ...values) => {
      if (sql.startsWith('INSERT INTO sessions')) throw new Error('the disk is full');
      return database.run(sql, ...values);
    },
  });

  const [lost, run] = [row(1), row(2)];
  assert.throws(() => broken.accept(lost), /full/);
  assert.deepEqual([runs.get(lost.id), sessions.get(session)], [undefined, undefined]);
  runs.accept(run);

  assert.deepEqual([sessions.get(session)?.agent, sessions.get(session)?.lastRun], [run.agent, run.id]);
});

test('the last run of a session is the one that was asked for last, whichever ends last', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const [runs, sessions] = [openRuns(database), openSessions(database)];
  const [first, second] = [row(1), row(2)];
  const last: unknown[] = [];
  const tell = (): void => void last.push(sessions.get(session)?.lastRun);

  runs.accept(first);
  tell();
  runs.accept(second);
  tell();
  for (const run of [second, first]) {
    runs.settle(run.id, {}, { state: 'done' });
    tell();
  }
  database.run('DELETE FROM sessions');
  runs.settle(second.id, {}, { state: 'done' });
  tell();

  assert.deepEqual(
    last,
    [first, second, second, second, second].map(({ id }) => id),
  );
});

test('the last word of a holder is said with its session’s last run, and not at all once another one holds the run', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const sessions = openSessions(database);
  const [first, second] = [
    { owner: 'a', fence: 1 },
    { owner: 'b', fence: 2 },
  ];
  const run = row(1, first);
  runs.insert(run);
  runs.takeOver(run.id, first, { ...second, state: 'running', reason: '' });

  const late = runs.settle(run.id, first, { state: 'failed', reason: 'late' });
  const [stateThen, lastThen] = [runs.get(run.id)?.state, sessions.get(session)?.lastRun];
  const own = runs.settle(run.id, second, { state: 'done', reason: 'ended' });

  assert.deepEqual([late, stateThen, lastThen], [false, 'running', undefined]);
  assert.deepEqual([own, runs.get(run.id)?.state, sessions.get(session)?.lastRun], [true, 'done', run.id]);
});

test('a page of a session reads the runs of that session, however many its tenant has', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const asked: string[] = [];
  const runs = openRuns({ ...database, statement: (sql) => (asked.push(sql), database.statement(sql)) }, tenant);

  runs.list({ tenant, session, state: 'running' });
  runs.ofSession(session, 20);

  for (const sql of asked) assert.match(JSON.stringify(database.all(`EXPLAIN QUERY PLAN ${sql}`)), /runs_by_session \(session=\?\)/);
  assert.equal(asked.length, 2);
});

test('the last runs of a session come newest first, and only those of the tenant', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database, tenant);
  const other = openRuns(database, parseTenantId('other'));
  const rows = [row(1), row(2, { owner: 'a' }), row(3)];
  for (const one of rows) runs.insert(one);

  const [last, all, foreign] = [runs.ofSession(session, 1), runs.ofSession(session, 20), other.ofSession(session, 20)];

  assert.deepEqual(
    all.map(({ id }) => id),
    rows.map(({ id }) => id).toReversed(),
  );
  assert.deepEqual(all[1], { id: rows[1]?.id, state: rows[1]?.state, owner: 'a' });
  assert.deepEqual([last, foreign], [all.slice(0, 1), []]);
});

test('a row with a word that this version does not know is refused, and named', () => {
  using database = openDatabase(path.join(scratch(), 'db'));
  const runs = openRuns(database);
  const run = row(1);
  runs.insert(run);
  for (const [column, word] of [
    ['state', 'asleep'],
    ['door', 'window'],
  ] as const) {
    const before = database.get(`SELECT ${column} AS word FROM runs`) as { word: string };
    database.run(`UPDATE runs SET ${column} = ?`, word);
    assert.throws(() => runs.get(run.id), new RegExp(`${run.id}.*"${word}"`));
    if (column === 'state') assert.throws(() => runs.stateOf(run.id), new RegExp(`${run.id}.*"${word}"`));
    database.run(`UPDATE runs SET ${column} = ?`, before.word);
  }
  assert.equal(runs.get(run.id)?.id, run.id);
});

test('a row that is added is there at once and durable when its promise resolves', async () => {
  const file = path.join(scratch(), 'db');
  using database = openDatabase(file);
  const runs = openRuns(database);

  const one = row(1);

  const added = runs.add(one);

  assert.deepEqual(runs.get(one.id), one);
  await added;
  assert.ok(fs.readFileSync(`${file}-wal`).toString('latin1').includes(one.id));
  await assert.rejects(runs.add(one));
});
