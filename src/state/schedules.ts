import { RetryableError } from '../contracts/errors.ts';
import type { TenantId } from '../contracts/ids.ts';
import { canonicalJson } from '../contracts/json.ts';
import type { Database, SqlValue } from './database.ts';
import { parseFiring, parseJob, type FiringKey, type FiringRow, type FiringState, type JobRow } from './schedules/rows.ts';

export { firingStates, type FiringKey, type FiringRow, type FiringState, type JobRow } from './schedules/rows.ts';

/** What one look at a job's slots decided. */
export interface Claim {
  readonly run: readonly number[];
  readonly merged: readonly number[];
  /** The newest of the slots that are not run, if any: one row stands for all of them. */
  readonly missed?: { readonly slotMs: number; readonly reason: string };
  readonly next?: { readonly slotMs: number; readonly dueMs: number };
  readonly nowMs: number;
}

/** What a claim did. */
export interface Claimed {
  readonly started: readonly FiringRow[];
  /** Whether slots were noted as missed. */
  readonly isMissed: boolean;
}

export interface HistoryFilter {
  readonly tenant: TenantId;
  readonly job?: string;
  readonly state?: FiringState;
  /** Only firings of one job before this one: the last of the page before. */
  readonly before?: Pick<FiringKey, 'slotMs' | 'isManual'>;
  /** Default 50. */
  readonly limit?: number;
}

/**
 * Jobs, and what became of each of their slots.
 *
 * Contract: what a method wrote is durable when it returns; a job's id is unique in its tenant; a slot of a job is
 * started once, by whichever of any number of processes and however often the clock passes it; removing a job keeps its
 * history, so that a job of the same id does not start its slots again.
 */
export interface Schedules {
  /** False when the tenant has a job of this id, or `most` jobs already, also when several processes add at once. */
  add(row: JobRow, most?: number): boolean;
  count(tenant: TenantId): number;
  /** The new definition, time and origin; pause and history stay. False when there is no such job. */
  replace(row: JobRow): boolean;
  remove(tenant: TenantId, id: string): boolean;
  get(tenant: TenantId, id: string): JobRow | undefined;
  /** By id. */
  list(tenant?: TenantId): JobRow[];
  /** Those that agents' files ask for. */
  listFromFiles(tenant: TenantId): JobRow[];
  pause(tenant: TenantId, id: string, reason: string): boolean;
  /** Also forgets the deaths that were counted. */
  resume(tenant: TenantId, id: string, next: Claim['next']): boolean;
  setNext(row: JobRow, next: Claim['next']): void;
  /** Not paused, and due by now; the longest due first. */
  due(nowMs: number): JobRow[];
  nextDueMs(): number | undefined;
  /**
   * Takes slots of a job, if it is still as `row` says. What any process has started or noted as missed before is not
   * among what this call did.
   */
  claim(row: JobRow, claim: Claim): Claimed;
  /** @throws RetryableError when so many starts of the job wait already: whoever repeats it must not fill the database. */
  startManual(row: JobRow, nowMs: number): FiringRow;
  firing(key: FiringKey): FiringRow | undefined;
  /** Newest slot first. */
  history(filter: HistoryFilter): FiringRow[];
  /** Started, and nobody knows of a run yet; of all jobs or of one; oldest first. */
  unadmitted(job?: Pick<JobRow, 'tenant' | 'id'>): FiringRow[];
  /** Started, with a run that has not been seen to end; of all jobs or of one; oldest first. */
  open(job?: Pick<JobRow, 'tenant' | 'id'>): FiringRow[];
  update(key: FiringKey, patch: FiringPatch): boolean;
  noteRequest(key: FiringKey, request: NonNullable<FiringRow['request']>): void;
  /** An index of what is seen: cheap, and lost by a power failure at worst. */
  noteOwner(key: FiringKey, owner: string | null): void;
  setDeaths(tenant: TenantId, id: string, deaths: JobRow['deaths']): void;
}

export type FiringPatch = Partial<Pick<FiringRow, 'state' | 'reason' | 'endedMs' | 'run' | 'runState' | 'interruptions'>>;

/** So many firings of a job are kept. */
const keptFirings = 1000;
/** So many starts by hand of a job wait for their runs. */
const maxManual = 100;
const jobColumns = 'tenant, id, agent, origin, definition, created_ms, anchor_ms, next_ms, due_ms, pause_reason, deaths';
const isKey = 'tenant = ? AND job = ? AND slot_ms = ? AND is_manual = ?';

export function openSchedules(database: Database): Schedules {
  return { ...jobMethods(database), ...timeMethods(database), ...firingMethods(database) };
}

type TimeMethods = 'pause' | 'resume' | 'setNext' | 'due' | 'nextDueMs' | 'setDeaths';
type JobMethods = 'add' | 'count' | 'replace' | 'remove' | 'get' | 'list' | 'listFromFiles';
const oneJob = 'tenant = ? AND id = ?';

function jobMethods(database: Database): Pick<Schedules, JobMethods> {
  const changed = (sql: string, ...values: SqlValue[]): boolean => database.run(sql, ...values).changes === 1;
  return {
    add: (row, most) =>
      changed(
        `INSERT INTO schedule_jobs (${jobColumns}) SELECT ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?
         WHERE (SELECT count(*) FROM schedule_jobs WHERE tenant = ?) < ? ON CONFLICT DO NOTHING`,
        ...jobValues(row),
        row.tenant,
        most ?? Number.MAX_SAFE_INTEGER,
      ),
    count: (tenant) => (database.get('SELECT count(*) AS n FROM schedule_jobs WHERE tenant = ?', tenant) as { n: number }).n,
    replace: (row) =>
      changed(
        `UPDATE schedule_jobs SET agent = ?, origin = ?, definition = ?, anchor_ms = ?, next_ms = ?, due_ms = ? WHERE ${oneJob}`,
        ...jobPlace(row),
        row.tenant,
        row.id,
      ),
    remove: (tenant, id) => changed(`DELETE FROM schedule_jobs WHERE ${oneJob}`, tenant, id),
    get: (tenant, id) => maybe(database.get(`SELECT * FROM schedule_jobs WHERE ${oneJob}`, tenant, id), parseJob),
    list: (tenant) =>
      tenant === undefined
        ? database.all('SELECT * FROM schedule_jobs ORDER BY tenant, id').map(parseJob)
        : database.all('SELECT * FROM schedule_jobs WHERE tenant = ? ORDER BY id', tenant).map(parseJob),
    listFromFiles: (tenant) =>
      database.all(`SELECT * FROM schedule_jobs WHERE tenant = ? AND origin = 'agent.yaml' ORDER BY id`, tenant).map(parseJob),
  };
}

function timeMethods(database: Database): Pick<Schedules, TimeMethods> {
  const isActive = 'due_ms IS NOT NULL AND pause_reason IS NULL';
  return {
    pause: (tenant, id, reason) =>
      database.run(`UPDATE schedule_jobs SET pause_reason = ? WHERE ${oneJob}`, reason, tenant, id).changes === 1,
    resume: (tenant, id, next) => {
      const sql = `UPDATE schedule_jobs SET pause_reason = NULL, deaths = '[]', next_ms = ?, due_ms = ? WHERE ${oneJob}`;
      return database.run(sql, next?.slotMs ?? null, next?.dueMs ?? null, tenant, id).changes === 1;
    },
    setNext: (row, next) => void setNext(database, row, next),
    due: (nowMs) => database.all(`SELECT * FROM schedule_jobs WHERE ${isActive} AND due_ms <= ? ORDER BY due_ms`, nowMs).map(parseJob),
    nextDueMs: () => {
      const row = database.get(`SELECT min(due_ms) AS ms FROM schedule_jobs WHERE ${isActive}`);
      return (row as { ms: number | null }).ms ?? undefined;
    },
    setDeaths: (tenant, id, deaths) =>
      void database.run(`UPDATE schedule_jobs SET deaths = ? WHERE ${oneJob}`, JSON.stringify(deaths), tenant, id),
  };
}

function firingMethods(database: Database): Omit<Schedules, JobMethods | TimeMethods> {
  const firing = (key: FiringKey): FiringRow | undefined =>
    maybe(database.get(`SELECT * FROM schedule_firings WHERE ${isKey}`, ...keyValues(key)), parseFiring);
  return {
    claim: (row, claim) => database.transact(() => claimSlots(database, row, claim)),
    startManual: (row, nowMs) =>
      database.transact(() => {
        refuseFull(row, startedFirings(database, 'run IS NULL', row).length);
        let slotMs = nowMs;
        const keyAt = (): FiringKey => ({ tenant: row.tenant, job: row.id, slotMs, isManual: true });
        while (!insertFiring(database, row, { slotMs, state: 'started', reason: '', isManual: true, nowMs })) slotMs += 1;
        return firing(keyAt()) as FiringRow;
      }),
    firing,
    history: (filter) => history(database, filter),
    unadmitted: (job) => startedFirings(database, 'run IS NULL', job),
    open: (job) => startedFirings(database, 'run IS NOT NULL', job),
    update: (key, patch) => updateFiring(database, key, patch),
    noteRequest: (key, request) =>
      void database.run(`UPDATE schedule_firings SET request = ? WHERE ${isKey}`, JSON.stringify(request), ...keyValues(key)),
    noteOwner: (key, owner) =>
      void database.relaxed(() => database.run(`UPDATE schedule_firings SET owner = ? WHERE ${isKey}`, owner, ...keyValues(key))),
  };
}

/** Of one job it reads that job's rows alone: however many another one has, this costs the same. */
function startedFirings(database: Database, condition: string, job: Pick<JobRow, 'tenant' | 'id'> | undefined): FiringRow[] {
  const sql = (more: string): string => `SELECT * FROM schedule_firings WHERE state = 'started' AND ${condition} ${more} ORDER BY slot_ms`;
  const rows = job === undefined ? database.all(sql('')) : database.all(sql('AND tenant = ? AND job = ?'), job.tenant, job.id);
  return rows.map(parseFiring);
}

function refuseFull({ id }: JobRow, waiting: number): void {
  if (waiting < maxManual) return;
  throw new RetryableError(
    'state.starts-wait',
    `The job ${id} is not started again, because ${waiting} starts of it wait for their runs. Try again when some of them have begun.`,
  );
}

function jobValues(row: JobRow): SqlValue[] {
  const { tenant, id, agent, origin, job, createdMs, anchorMs, nextMs, dueMs, pauseReason, deaths } = row;
  const times = [createdMs, anchorMs, nextMs ?? null, dueMs ?? null];
  return [tenant, id, agent, origin, canonicalJson(job), ...times, pauseReason ?? null, JSON.stringify(deaths)];
}

function jobPlace(row: JobRow): SqlValue[] {
  return [row.agent, row.origin, canonicalJson(row.job), row.anchorMs, row.nextMs ?? null, row.dueMs ?? null];
}

function keyValues({ tenant, job, slotMs, isManual }: FiringKey): SqlValue[] {
  return [tenant, job, slotMs, isManual ? 1 : 0];
}

function maybe<T>(row: unknown, parse: (row: unknown) => T): T | undefined {
  return row === undefined ? undefined : parse(row);
}

/** Only while the job is as it was read: its next slot is taken by one process. */
function setNext(database: Database, row: JobRow, next: Claim['next']): boolean {
  const sql =
    'UPDATE schedule_jobs SET next_ms = ?, due_ms = ? WHERE tenant = ? AND id = ? AND next_ms IS ? AND anchor_ms = ? AND definition = ? AND pause_reason IS NULL';
  const seen = [row.tenant, row.id, row.nextMs ?? null, row.anchorMs, canonicalJson(row.job)];
  return database.run(sql, next?.slotMs ?? null, next?.dueMs ?? null, ...seen).changes === 1;
}

function claimSlots(database: Database, row: JobRow, claim: Claim): Claimed {
  if (!setNext(database, row, claim.next)) return { started: [], isMissed: false };
  const { nowMs, missed } = claim;
  const insert = (slotMs: number, state: FiringState, reason = ''): boolean =>
    insertFiring(database, row, { slotMs, state, reason, isManual: false, nowMs });
  const started = claim.run.filter((slotMs) => insert(slotMs, 'started'));
  const standsFor = claim.run[0];
  const merged = `the run of ${standsFor === undefined ? 'another slot' : new Date(standsFor).toISOString()} stands for it`;
  for (const slotMs of claim.merged) insert(slotMs, 'merged', merged);
  const isMissed = missed !== undefined && insert(missed.slotMs, 'missed', missed.reason);
  prune(database, row);
  const key = (slotMs: number): SqlValue[] => keyValues({ tenant: row.tenant, job: row.id, slotMs, isManual: false });
  const rowOf = (slotMs: number): FiringRow => parseFiring(database.get(`SELECT * FROM schedule_firings WHERE ${isKey}`, ...key(slotMs)));
  return { started: started.map(rowOf), isMissed };
}

interface NewFiring {
  readonly slotMs: number;
  readonly state: FiringState;
  readonly reason: string;
  readonly isManual: boolean;
  readonly nowMs: number;
}

/** False when the slot is there already. A missed one has not run, so it may start after all. */
function insertFiring(database: Database, row: JobRow, { slotMs, state, reason, isManual, nowMs }: NewFiring): boolean {
  const sql = `INSERT INTO schedule_firings (tenant, job, slot_ms, is_manual, agent, state, reason, started_ms, interruptions)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, 0)
    ON CONFLICT DO UPDATE SET state = excluded.state, reason = excluded.reason, started_ms = excluded.started_ms
    WHERE schedule_firings.state = 'missed' AND excluded.state = 'started'`;
  const key = keyValues({ tenant: row.tenant, job: row.id, slotMs, isManual });
  return database.run(sql, ...key, row.agent, state, reason, nowMs).changes === 1;
}

function prune(database: Database, { tenant, id }: JobRow): void {
  const oldest = database.get(
    'SELECT slot_ms AS ms FROM schedule_firings WHERE tenant = ? AND job = ? ORDER BY slot_ms DESC LIMIT 1 OFFSET ?',
    tenant,
    id,
    keptFirings,
  ) as { ms: number } | undefined;
  if (oldest === undefined) return;
  const sql = `DELETE FROM schedule_firings WHERE tenant = ? AND job = ? AND slot_ms <= ? AND state <> 'started'`;
  database.run(sql, tenant, id, oldest.ms);
}

const patchColumns: Readonly<Record<keyof FiringPatch, string>> = {
  state: 'state',
  reason: 'reason',
  endedMs: 'ended_ms',
  run: 'run',
  runState: 'run_state',
  interruptions: 'interruptions',
};

function updateFiring(database: Database, key: FiringKey, patch: FiringPatch): boolean {
  const entries = Object.entries(patch) as [keyof FiringPatch, SqlValue][];
  const sets = entries.map(([field]) => `${patchColumns[field]} = ?`).join(', ');
  const values = entries.map(([, value]) => value);
  return database.run(`UPDATE schedule_firings SET ${sets} WHERE ${isKey}`, ...values, ...keyValues(key)).changes === 1;
}

function history(database: Database, { tenant, job, state, before, limit }: HistoryFilter): FiringRow[] {
  const conditions = ['tenant = ?'];
  const values: SqlValue[] = [tenant];
  const add = (condition: string, value: SqlValue | undefined): void => {
    if (value === undefined) return;
    conditions.push(condition);
    values.push(value);
  };
  add('job = ?', job);
  add('state = ?', state);
  if (before !== undefined) {
    conditions.push('(slot_ms, is_manual) < (?, ?)');
    values.push(before.slotMs, Number(before.isManual));
  }
  const sql = `SELECT * FROM schedule_firings WHERE ${conditions.join(' AND ')} ORDER BY slot_ms DESC, is_manual DESC LIMIT ?`;
  return database.all(sql, ...values, limit ?? 50).map(parseFiring);
}
