/**
 * The queue's schema, a text for each version; a landed text never changes.
 *
 * - `task` is small, because every delivery writes it again; what is opaque lies in `body`.
 * - A *lane* is tenant, agent type and shard; its counters are changed in the transaction that changes its tasks, so that
 *   nobody counts a million rows.
 * - States: 0 scheduled (due by the calendar), 1 delayed (due by the monotonic clock), 2 ready, 3 leased, 4 done, 5 dead.
 *   Each has an index of its own, so that none is slow because of the others.
 * - `turn` orders the ready tasks of one priority; `worker` names the holder until it gives the task back.
 * - `round` says for each scope of consumers which tenant has its turn in the deficit round robin, and what it has left.
 * - `meta.fence_durable` is written with a sync before any fence below it is given out.
 */
export const queueSteps: readonly string[] = [
  `
  CREATE TABLE meta (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    fence_next INTEGER NOT NULL,
    fence_durable INTEGER NOT NULL,
    monotonic_ms REAL NOT NULL
  ) STRICT;
  INSERT INTO meta VALUES (1, 1, 1, 0);

  CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    weight INTEGER NOT NULL DEFAULT 1,
    max_leased INTEGER,
    leased INTEGER NOT NULL DEFAULT 0
  ) STRICT;

  CREATE TABLE lane (
    id INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    agent_type TEXT NOT NULL,
    shard INTEGER NOT NULL,
    scheduled INTEGER NOT NULL DEFAULT 0,
    ready INTEGER NOT NULL DEFAULT 0,
    leased INTEGER NOT NULL DEFAULT 0,
    dead INTEGER NOT NULL DEFAULT 0,
    is_paused INTEGER NOT NULL DEFAULT 0,
    served INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, agent_type, shard)
  ) STRICT;
  CREATE INDEX lane_ready ON lane (tenant) WHERE ready > 0 AND is_paused = 0;

  CREATE TABLE pause (
    tenant TEXT NOT NULL,
    agent_type TEXT NOT NULL,
    shard INTEGER NOT NULL,
    PRIMARY KEY (tenant, agent_type, shard)
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE round (
    scope TEXT PRIMARY KEY,
    tenant INTEGER NOT NULL,
    credit INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE task (
    seq INTEGER PRIMARY KEY,
    tenant INTEGER NOT NULL,
    lane INTEGER NOT NULL,
    id TEXT NOT NULL,
    key TEXT NOT NULL,
    state INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    turn INTEGER NOT NULL,
    fence INTEGER NOT NULL DEFAULT 0,
    deliveries INTEGER NOT NULL DEFAULT 0,
    max_deliveries INTEGER NOT NULL,
    put_ms INTEGER NOT NULL,
    due_ms INTEGER,
    ready_ms INTEGER,
    end_monotonic_ms REAL,
    done_ms INTEGER,
    worker TEXT,
    reason TEXT
  ) STRICT;
  CREATE UNIQUE INDEX task_key ON task (tenant, key);
  CREATE UNIQUE INDEX task_id ON task (tenant, id);
  CREATE INDEX task_state ON task (lane, state);
  CREATE INDEX task_scheduled ON task (due_ms) WHERE state = 0;
  CREATE INDEX task_ends ON task (end_monotonic_ms) WHERE state IN (1, 3);
  CREATE INDEX task_ready ON task (lane, priority, turn) WHERE state = 2;
  CREATE INDEX task_done ON task (done_ms) WHERE state = 4;

  CREATE TABLE body (
    seq INTEGER PRIMARY KEY,
    message TEXT NOT NULL
  ) STRICT;
  `,
];

/** The numbers of `task.state`. */
export const states = { scheduled: 0, delayed: 1, ready: 2, leased: 3, done: 4, dead: 5 } as const;
