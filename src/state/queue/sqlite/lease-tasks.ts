import assert from 'node:assert/strict';
import type { GivenTask, Moment, Operations } from './operations.ts';
import { wakeDueTasks } from './due-tasks.ts';
import { hasRoom, inScope, leasedOfTenant, roundName, scopeValues } from './scope.ts';
import type { Store } from './store.ts';

type Ask = Operations['lease']['ask'];

/** Of one tenant so many lanes are compared for their first task, those first that waited longest. */
const maxLanes = 64;

interface Turn {
  readonly id: number;
  readonly weight: number;
  /** How many more of its tasks may be leased. */
  readonly room: number;
}

/**
 * Gives tasks by deficit round robin over the tenants that have a ready task within the scope.
 *
 * Each task costs 1 and a tenant's turn is worth its weight, so nothing is ever left over for another round except by the
 * tenant whose turn it is: tenant and credit of the scope are the whole state of the round. A tenant that is alone gets
 * everything at once. Rounds of different scopes are independent, or a consumer of one could starve a tenant in another.
 */
export function leaseTasks(store: Store, ask: Ask, at: Moment): GivenTask[] {
  wakeDueTasks(store, at);
  store.sawMonotonic(at.monotonicMs);
  const name = roundName(ask.scope);
  const before = store.database.get('SELECT first AS tenant, second AS credit FROM note WHERE name = ?', name) as
    | { tenant: number; credit: number }
    | undefined;
  let { tenant, credit } = before ?? { tenant: 0, credit: 0 };
  const given: GivenTask[] = [];
  while (given.length < ask.max) {
    store.writeCounts();
    const turn = nextTurn(store, ask, credit > 0 ? tenant : tenant + 1);
    if (turn === undefined) break;
    const isAlone = turn.id === tenant && credit <= 0;
    if (turn.id !== tenant || credit <= 0) credit = turn.weight;
    const atMost = Math.min(isAlone ? Infinity : credit, turn.room, ask.max - given.length);
    const taken = takeTasks(store, { ask, at, tenant: turn.id, atMost });
    assert(taken.length > 0, 'a lane whose counter says ready has a ready task');
    given.push(...taken);
    ({ id: tenant } = turn);
    credit = Math.max(0, credit - taken.length);
  }
  if (tenant !== before?.tenant || credit !== before.credit) {
    store.database.run('INSERT INTO note VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET first = ?2, second = ?3', name, tenant, credit);
  }
  return given;
}

/** The first tenant from `from` on, and around, that may be served. */
function nextTurn(store: Store, ask: Ask, from: number): Turn | undefined {
  const row = store.database.get(
    `SELECT * FROM (${firstFrom('?4')}) UNION ALL SELECT * FROM (${firstFrom('0')}) LIMIT 1`,
    ...scopeValues(ask.scope),
    from,
  );
  return row as Turn | undefined;
}

function firstFrom(tenant: string): string {
  return `SELECT tenant.id, tenant.weight, CASE WHEN tenant.max_leased IS NULL THEN 9007199254740991 ELSE tenant.max_leased - ${leasedOfTenant} END AS room
    FROM lane INDEXED BY lane_waiting CROSS JOIN tenant ON tenant.id = lane.tenant
    WHERE lane.is_waiting = 1 AND lane.is_paused = 0 AND lane.tenant >= ${tenant} AND ${inScope} AND ${hasRoom}
    ORDER BY lane.tenant LIMIT 1`;
}

interface Take {
  readonly ask: Ask;
  readonly at: Moment;
  readonly tenant: number;
  readonly atMost: number;
}

interface ReadyTask {
  readonly seq: number;
  readonly lane: number;
  readonly priority: number;
  readonly turn: number;
  readonly deliveries: number;
  /** Read at once when only one lane is looked at, for then every row that comes is given. */
  readonly message: string | null;
}

/** By priority, then turn. */
function takeTasks(store: Store, take: Take): GivenTask[] {
  const lanes = store.database.all(
    `SELECT id FROM lane INDEXED BY lane_waiting WHERE is_waiting = 1 AND is_paused = 0 AND lane.tenant = ?4 AND ${inScope} ORDER BY served LIMIT ${maxLanes}`,
    ...scopeValues(take.ask.scope),
    take.tenant,
  ) as { id: number }[];
  const found = lanes.flatMap(({ id }) => firstTasks(store, { lane: id, atMost: take.atMost, isOnly: lanes.length === 1 }));
  if (lanes.length > 1) found.sort((a, b) => a.priority - b.priority || a.turn - b.turn || a.seq - b.seq);
  const tasks = found.slice(0, take.atMost);
  const given = tasks.map((task) => giveTask(store, task, take));
  if (lanes.length === 1) return given;
  const fence = given.at(-1)?.fence ?? 0;
  for (const lane of new Set(tasks.map((task) => task.lane))) store.database.run('UPDATE lane SET served = ? WHERE id = ?', fence, lane);
  return given;
}

/**
 * Limits are literals: a bound one makes SQLite plan the statement anew each time, which costs ten times what it does.
 * More rows than asked for may come.
 */
function firstTasks(
  store: Store,
  { lane, atMost, isOnly }: { readonly lane: number; readonly atMost: number; readonly isOnly: boolean },
): ReadyTask[] {
  const limit = limits.find((each) => each >= atMost) ?? maxAtOnce;
  const message = isOnly && limit <= 8 ? '(SELECT message FROM body WHERE body.seq = task.seq)' : 'NULL';
  return store.database.all(
    `SELECT seq, lane, priority, turn, deliveries, ${message} AS message FROM task INDEXED BY task_ready
     WHERE lane = ? AND state = 2 ORDER BY priority, turn, seq LIMIT ${limit}`,
    lane,
  ) as ReadyTask[];
}

const maxAtOnce = 1000;
const limits = [1, 8, 64, maxAtOnce];

function giveTask(store: Store, task: ReadyTask, { ask, at }: Take): GivenTask {
  const fence = store.nextFence();
  const delivery = task.deliveries + 1;
  store.database.run(
    'UPDATE task SET state = 3, fence = ?, deliveries = ?, worker = ?, end_monotonic_ms = ? WHERE seq = ?',
    fence,
    delivery,
    ask.worker,
    at.monotonicMs + ask.leaseMs,
    task.seq,
  );
  store.move(task.lane, 'ready', 'leased');
  return { message: task.message ?? messageOf(store, task.seq), fence, delivery };
}

function messageOf(store: Store, seq: number): string {
  return (store.database.get('SELECT message FROM body WHERE seq = ?', seq) as { message: string }).message;
}
