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
  /** When the tenant has work in no other lane. */
  readonly onlyLane: number | undefined;
}

/**
 * Gives tasks by deficit round robin over the tenants that have a ready task within the scope.
 *
 * Each task costs 1 and a tenant's turn is worth its weight, so nothing is ever left over for another round except by the
 * tenant whose turn it is: tenant and credit of the scope are the whole state of the round. A tenant that is alone gets
 * everything at once. Rounds of different scopes are independent, or a consumer of one could starve a tenant in another.
 */
export function leaseTasks(store: Store, ask: Ask, at: Moment): GivenTask[] {
  const name = roundName(ask.scope);
  const before = store.look(name, at);
  if (before.isDue) {
    store.requireTime();
    wakeDueTasks(store, at);
  }
  store.sawMonotonic(at.monotonicMs);
  let { tenant, credit } = before;
  const given: GivenTask[] = [];
  while (given.length < ask.max) {
    store.writeCounts();
    const turn = nextTurn(store, ask, credit > 0 ? tenant : tenant + 1);
    if (turn === undefined) break;
    const isAlone = turn.id === tenant && credit <= 0;
    if (turn.id !== tenant || credit <= 0) credit = turn.weight;
    const atMost = Math.min(isAlone ? Infinity : credit, turn.room, ask.max - given.length);
    const taken = takeTasks(store, { ask, at, turn, atMost });
    assert(taken.length > 0, 'a lane whose counter says ready has a ready task');
    given.push(...taken);
    ({ id: tenant } = turn);
    credit = Math.max(0, credit - taken.length);
  }
  if (tenant !== before.tenant || credit !== before.credit) store.statement(writeRoundSql).run(name, tenant, credit);
  return given;
}

const writeRoundSql = 'INSERT INTO note VALUES (?1, ?2, ?3) ON CONFLICT DO UPDATE SET first = ?2, second = ?3';

/** The first tenant from `from` on, and around, that may be served. */
function nextTurn(store: Store, ask: Ask, from: number): Turn | undefined {
  const row = store.statement(nextTurnSql).get(...scopeValues(ask.scope), from);
  if (row === undefined) return undefined;
  const [id, weight, room, lane, waitingLanes] = row as [number, number, number, number, number];
  return { id, weight, room, onlyLane: waitingLanes === 1 ? lane : undefined };
}

function firstFrom(tenant: string): string {
  return `SELECT tenant.id, tenant.weight, CASE WHEN tenant.max_leased IS NULL THEN 9007199254740991 ELSE tenant.max_leased - ${leasedOfTenant} END,
      lane.id, (SELECT count(*) FROM (SELECT 1 FROM lane AS other INDEXED BY lane_waiting
        WHERE other.is_waiting = 1 AND other.is_paused = 0 AND other.tenant = tenant.id LIMIT 2))
    FROM lane INDEXED BY lane_waiting CROSS JOIN tenant ON tenant.id = lane.tenant
    WHERE lane.is_waiting = 1 AND lane.is_paused = 0 AND lane.tenant >= ${tenant} AND ${inScope} AND ${hasRoom}
    ORDER BY lane.tenant LIMIT 1`;
}

const nextTurnSql = `SELECT * FROM (${firstFrom('?4')}) UNION ALL SELECT * FROM (${firstFrom('0')}) LIMIT 1`;

interface Take {
  readonly ask: Ask;
  readonly at: Moment;
  readonly turn: Turn;
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
  const { onlyLane } = take.turn;
  if (onlyLane !== undefined) return firstTasks(store, onlyLane, take).map((task) => giveTask(store, task, take));
  const lanes = store.statement(lanesSql).all(...scopeValues(take.ask.scope), take.turn.id) as [number][];
  const found = lanes.flatMap(([lane]) => firstTasks(store, lane, take));
  found.sort((a, b) => a.priority - b.priority || a.turn - b.turn || a.seq - b.seq);
  const tasks = found.slice(0, take.atMost);
  const given = tasks.map((task) => giveTask(store, task, take));
  const fence = given.at(-1)?.fence ?? 0;
  for (const lane of new Set(tasks.map((task) => task.lane))) store.statement(servedSql).run(fence, lane);
  return given;
}

const lanesSql = `SELECT id FROM lane INDEXED BY lane_waiting
  WHERE is_waiting = 1 AND is_paused = 0 AND lane.tenant = ?4 AND ${inScope} ORDER BY served LIMIT ${maxLanes}`;
const servedSql = 'UPDATE lane SET served = ? WHERE id = ?';

function firstTasks(store: Store, lane: number, { turn, atMost }: Take): ReadyTask[] {
  const rows = store.statement(turn.onlyLane === undefined ? firstSql : firstWithMessageSql).all(lane, Math.min(atMost, maxAtOnce));
  return (rows as [number, number, number, number, string | null][]).map(([seq, priority, order, deliveries, message]): ReadyTask => ({
    seq,
    lane,
    priority,
    turn: order,
    deliveries,
    message,
  }));
}

const maxAtOnce = 1000;

/** The sum hides the limit from the planner: a bound one alone is planned anew each time, which costs ten times what it does. */
function firstOf(message: string): string {
  return `SELECT seq, priority, turn, deliveries, ${message} FROM task INDEXED BY task_ready
    WHERE lane = ? AND state = 2 ORDER BY priority, turn, seq LIMIT ? + 0`;
}

const firstSql = firstOf('NULL');
const firstWithMessageSql = firstOf('(SELECT message FROM body WHERE body.seq = task.seq)');

function giveTask(store: Store, task: ReadyTask, { ask, at }: Take): GivenTask {
  const fence = store.nextFence();
  const delivery = task.deliveries + 1;
  store.statement(giveSql).run(fence, delivery, ask.worker, at.monotonicMs + ask.leaseMs, task.seq);
  store.move(task.lane, 'ready', 'leased');
  return { message: task.message ?? messageOf(store, task.seq), fence, delivery };
}

const giveSql = 'UPDATE task SET state = 3, fence = ?, deliveries = ?, worker = ?, end_monotonic_ms = ? WHERE seq = ?';

function messageOf(store: Store, seq: number): string {
  const [message] = store.statement('SELECT message FROM body WHERE seq = ?').get(seq) as [string];
  return message;
}
