import assert from 'node:assert/strict';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { newRunId, newSessionId, parseAgentId, parseTenantId, type RunId } from '../../contracts/ids.ts';
import { runStates, type RunState } from '../../contracts/run.ts';
import { countRuns } from '../count-runs.ts';
import { openDatabase, openDatabaseForReading, type Database } from '../database.ts';
import { schemaSteps } from '../database/schema.ts';
import { acceptedRow, openRuns, type RunFilter, type RunRow, type Runs } from '../runs.ts';
import { isEnded, isOpen } from './states-sql.ts';

const [tenants, agents] = [['acme', 'globex', 'idle'].map(parseTenantId), ['clerk', 'main', 'scout'].map(parseAgentId)];
const sessions = Array.from({ length: 40 }, (_, index) => newSessionId(index));
/** Before the indexes by state. */
const oldSteps = schemaSteps.slice(0, 9);

function scratch(): string {
  return path.join(fs.mkdtempSync(path.join(os.tmpdir(), 'list-')), 'state.db');
}

/** Of a session one tenant, and every state often enough for pages. */
function rowAt(index: number): RunRow {
  const createdMs = 1000 + index;
  const asked = {
    runId: newRunId(createdMs),
    sessionId: sessions[index % sessions.length]!,
    tenant: tenants[index % sessions.length < 30 ? 0 : 1]!,
    agent: agents[(index >> 3) % 2]!,
    door: 'http' as const,
    input: 'hello',
  };
  return { ...acceptedRow(asked, createdMs), state: runStates[(index * 7) % 13] ?? 'done' };
}

function fill(runs: Runs): RunRow[] {
  const rows = Array.from({ length: 400 }, (_, index) => rowAt(index));
  for (const row of rows) runs.put(row);
  return rows;
}

function* filters(before: RunId): Generator<RunFilter> {
  for (const tenant of [undefined, ...tenants])
    for (const agent of [undefined, ...agents])
      for (const state of [undefined, ...runStates])
        for (const session of [undefined, sessions[3], sessions[35]])
          for (const older of [{}, { before, limit: 3 }])
            yield {
              ...(tenant === undefined ? {} : { tenant }),
              ...(agent === undefined ? {} : { agent }),
              ...(state === undefined ? {} : { state }),
              ...(session === undefined ? {} : { session }),
              ...older,
            };
}

function wanted(rows: readonly RunRow[], { before, limit = 50, ...fields }: RunFilter): RunRow[] {
  const fits = (row: RunRow): boolean => Object.entries(fields).every(([field, value]) => row[field as 'state'] === value);
  const older = rows.filter((row) => fits(row) && (before === undefined || row.id < before));
  return older.toSorted((a, b) => (a.id < b.id ? 1 : -1)).slice(0, limit);
}

function checkAll(runs: Runs, rows: readonly RunRow[]): void {
  for (const filter of filters(rows[200]!.id)) assert.deepEqual(runs.list(filter), wanted(rows, filter), JSON.stringify(filter));
}

test('every filter lists what it says, newest first, also after runs changed their states', () => {
  using database = openDatabase(scratch());
  const runs = openRuns(database);
  const rows = fill(runs);
  checkAll(runs, rows);

  const moved = rows.map((row, index): RunRow => {
    const state = runStates[(index * 5) % runStates.length]!;
    if (index % 3 === 0) runs.update(row.id, { state });
    else if (index % 3 === 1) runs.takeOver(row.id, row, { state });
    else runs.settle(row.id, row, { state });
    return { ...row, state };
  });

  checkAll(runs, moved);
});

test('the rows of an older version are listed as before, by it when it looks, and after the step', () => {
  const file = scratch();
  const rows = ((): RunRow[] => {
    using old = openDatabase(file, { steps: oldSteps });
    return fill(openRuns(old));
  })();
  const look = (database: Database): unknown => {
    checkAll(openRuns(database), rows);
    return countRuns(database, 0).map((row) => ({ ...row }));
  };

  using before = openDatabaseForReading(file);
  const then = look(before);
  using after = openDatabase(file);

  assert.deepEqual(look(after), then);
  assert.deepEqual(
    after.all('PRAGMA integrity_check').map((row) => Object.values(row as object)),
    [['ok']],
  );
});

/** How the statement finds runs: once each, in alphabetical order. */
function readsOf(database: Database, sql: string): string[] {
  const plan = database.all(`EXPLAIN QUERY PLAN ${sql}`) as { readonly detail: string }[];
  return [...new Set(plan.map(({ detail }) => detail).filter((detail) => /\bruns\b/.test(detail)))].toSorted();
}

const byId = 'SEARCH runs USING PRIMARY KEY (id=?)';
const covering = (index: string, columns: readonly string[]): string =>
  `SEARCH runs USING COVERING INDEX ${index} (${columns.map((column) => `${column}=?`).join(' AND ')} AND id<?)`;
const open = covering('runs_open', ['tenant', 'agent', 'state']);
const ended = covering('runs_ended', ['tenant', 'state']);
const endedByAgent = covering('runs_ended_by_agent', ['tenant', 'agent', 'state']);
const nextAgent = [
  'SEARCH runs USING COVERING INDEX runs_open (tenant=? AND agent>?)',
  'SEARCH runs USING COVERING INDEX runs_open (tenant=?)',
];
// The scan is for the first tenant, and ends there.
const nextOpenTenant = ['SCAN runs USING COVERING INDEX runs_open', 'SEARCH runs USING COVERING INDEX runs_open (tenant>?)'];
const nextEndedTenant = ['SCAN runs USING COVERING INDEX runs_ended', 'SEARCH runs USING COVERING INDEX runs_ended (tenant>?)'];

const [tenant, agent] = [tenants[0]!, agents[0]!];
const plans: readonly (readonly [filter: RunFilter, reads: readonly string[]])[] = [
  [{}, ['SEARCH runs USING PRIMARY KEY (id<?)']],
  [{ tenant }, [byId, open, ended, ...nextAgent]],
  [{ tenant, agent }, [byId, open, endedByAgent]],
  [{ tenant, state: 'running' }, [byId, open, ...nextAgent]],
  [{ tenant, state: 'done' }, [ended.replace('COVERING ', '')]],
  [{ tenant, agent, state: 'accepted' }, [open.replace('COVERING ', '')]],
  [{ tenant, agent, state: 'failed' }, [endedByAgent.replace('COVERING ', '')]],
  [{ state: 'waiting' }, [byId, open, ...nextAgent, ...nextOpenTenant]],
  [{ state: 'denied' }, [byId, ended, ...nextEndedTenant]],
  [{ agent }, [byId, open, endedByAgent, ...nextOpenTenant, ...nextEndedTenant]],
  [{ session: sessions[0]!, tenant, agent, state: 'done' }, ['SEARCH runs USING INDEX runs_by_session (session=? AND id<?)']],
];

test('every filter reads a page of each range that it needs, and walks over no others', () => {
  using database = openDatabase(scratch());
  let asked = '';
  const runs = openRuns({ ...database, statement: (sql) => database.statement((asked = sql)) });
  for (const [filter, reads] of plans) {
    runs.list({ ...filter, before: newRunId(1) });
    assert.deepEqual(readsOf(database, asked), reads.toSorted(), JSON.stringify(filter));
  }
});

test('runs at work are counted without walking over those that ended or have not begun', () => {
  using database = openDatabase(scratch());
  let asked = '';
  countRuns({ ...database, all: (sql, ...values) => database.all((asked = sql), ...values) }, 0);

  const reads = ['SEARCH runs USING PRIMARY KEY (id>?)', open.replace(' AND id<?', ''), ...nextAgent, ...nextOpenTenant];
  assert.deepEqual(readsOf(database, asked), reads.toSorted());
});

test('every state that a run can have is in the index of the open or in those of the ended', () => {
  using database = openDatabase(scratch());
  const conditions = (database.all(`SELECT sql FROM sqlite_schema WHERE name LIKE 'runs_%'`) as { readonly sql: string }[]).flatMap(
    ({ sql }) => /WHERE (state .*)$/.exec(sql)?.[1] ?? [],
  );

  assert.deepEqual(conditions.map((each) => `(${each})`).toSorted(), [isOpen, isEnded, isEnded].toSorted());
  for (const state of runStates) assert.equal([isOpen, isEnded].filter((each) => each.includes(`'${state}'`)).length, 1, state);
});

test('a state that is none is not written into a statement', () => {
  using database = openDatabase(scratch());
  const state = `done' OR 'a' = 'a` as RunState;

  for (const filter of [{ state }, { tenant, state }, { tenant, agent, state }, { session: sessions[0]!, state }])
    assert.throws(() => openRuns(database).list(filter), /unknown state/);
});

test('the life of a run writes each index once: a page each for its row and what changes', () => {
  const file = scratch();
  using database = openDatabase(file);
  const runs = openRuns(database);
  const row = { ...rowAt(0), state: 'accepted' } as const;
  const holder = { owner: 'claim', fence: 1 };
  const framesOf = (work: () => boolean): number => {
    const before = fs.statSync(`${file}-wal`).size;
    assert.equal(work(), true);
    return (fs.statSync(`${file}-wal`).size - before) / (4096 + 24);
  };

  const frames = [
    framesOf(() => runs.accept(row)),
    framesOf(() => runs.takeOver(row.id, {}, { ...holder, state: 'running', reason: '', startedMs: 1 })),
    framesOf(() => runs.settle(row.id, holder, { state: 'done', reason: 'ended', endedMs: 2, turns: 1, costMicroUsd: 0 })),
  ];

  // The row, `runs_open`, `runs_by_session` and the session's two; the row and `runs_open`; these and the two of those that ended.
  assert.deepEqual(frames, [5, 2, 4]);
});
