import assert from 'node:assert/strict';
import { runStates, type RunState } from '../../contracts/run.ts';
import type { Database, SqlValue } from '../database.ts';
import type { RunFilter, RunRow } from '../runs.ts';
import { columnList, parseRow } from './row-columns.ts';
import { eachAgent, eachTenant, endedStates, isEnded, isOpen, openStates } from './states-sql.ts';

/**
 * A page of runs, newest first.
 *
 * A run stands in the index of those that are open or in the two of those that ended, by tenant, agent and state, so that
 * little is written when its state changes. A filter that leaves one of these open is a page of each of its values, and
 * of all these the newest.
 */
export function listRuns(database: Database, filter: RunFilter): RunRow[] {
  const { state } = filter;
  assert.ok(state === undefined || runStates.includes(state), `runs in the unknown state ${JSON.stringify(state)} cannot be listed`);
  const values: SqlValue[] = [];
  const bind: Bind = (value) => `?${values.push(value)}`;
  const sql = hasOneRange(filter) ? textOfRange(filter, bind) : textOfRanges(filter, bind);
  const rows = database.statement(sql).all(...values);
  return rows.map((row) => parseRow(row) as RunRow);
}

/** Keeps a value for the statement, and says how its text names it. */
type Bind = (value: SqlValue) => string;

function hasOneRange({ tenant, agent, state, session }: RunFilter): boolean {
  if (session !== undefined) return true;
  if (tenant === undefined) return agent === undefined && state === undefined;
  return state !== undefined && (agent !== undefined || endedStates.includes(state));
}

function textOfRange(filter: RunFilter, bind: Bind): string {
  const { tenant, agent, state, session } = filter;
  // Every run of a session has one tenant, and a session has few runs: no other index finds them without walking over many.
  const plain = session === undefined ? '' : '+';
  const conditions = [
    ...(session === undefined ? [] : [`session = ${bind(session)}`]),
    ...(tenant === undefined ? [] : [`${plain}tenant = ${bind(tenant)}`]),
    ...(agent === undefined ? [] : [`${plain}agent = ${bind(agent)}`]),
    ...(state === undefined ? [] : [`${plain}${isState(state)}`]),
  ];
  return `SELECT ${columnList} FROM runs WHERE ${[...conditions, olderThan(filter, bind)].join(' AND ')} ${pageOf(filter)}`;
}

function textOfRanges(filter: RunFilter, bind: Bind): string {
  const { tenant, agent, state } = filter;
  const tenants = (name: string, where: string): string =>
    tenant === undefined ? eachTenant(name, where) : `${name} (tenant) AS (SELECT ${bind(tenant)})`;
  const agents =
    agent === undefined ? eachAgent('open_place') : `open_place (tenant, agent) AS (SELECT tenant, ${bind(agent)} FROM open_tenant)`;
  // One array for each place: a query within a join gives no more than one value.
  const range = (place: string, conditions: readonly string[]): string =>
    `SELECT ids.value FROM ${place} CROSS JOIN json_each((SELECT json_group_array(id) FROM (
      SELECT id FROM runs WHERE ${[`tenant = ${place}.tenant`, ...conditions, olderThan(filter, bind)].join(' AND ')} ${pageOf(filter)}))) AS ids`;
  const ofAgent = (): string[] => (agent === undefined ? [] : [`agent = ${bind(agent)}`]);
  const isAsked = (one: RunState): boolean => state === undefined || one === state;
  const ranges = [
    ...openStates.filter(isAsked).map((one) => range('open_place', ['agent = open_place.agent', isState(one)])),
    ...endedStates.filter(isAsked).map((one) => range('ended_tenant', [...ofAgent(), isState(one)])),
  ];
  return `WITH RECURSIVE ${tenants('open_tenant', isOpen)}, ${agents}, ${tenants('ended_tenant', isEnded)},
    page (id) AS (${ranges.join(' UNION ALL ')} ${pageOf(filter, '1')})
    SELECT ${columnList.replace('id,', 'runs.id,')} FROM page CROSS JOIN runs ON runs.id = page.id ORDER BY runs.id DESC`;
}

/** A known state, written out, because SQLite takes the index of some states only for a state that it reads in the text. */
function isState(state: RunState): string {
  return `state = '${state}'`;
}

function olderThan({ before }: RunFilter, bind: Bind): string {
  return before === undefined ? 'true' : `id < ${bind(before)}`;
}

function pageOf({ limit = 50 }: RunFilter, column = 'id'): string {
  return `ORDER BY ${column} DESC LIMIT ${wholeNumber(limit)}`;
}

/** Written out: a bound limit makes SQLite plan for all rows, which costs a short page 10 µs. */
export function wholeNumber(limit: number): number {
  assert.ok(Number.isSafeInteger(limit) && limit >= 0, `a page of ${limit} rows cannot be read`);
  return limit;
}
