/**
 * The queue's schema, a text for each version; a landed text never changes.
 *
 * - `task` is small, because every delivery writes it again; what is opaque lies in `body`.
 * - A *lane* is tenant, agent type and shard; its counters are changed in the transaction that changes its tasks, so that
 *   nobody counts a million rows. `is_waiting` says that `ready` is not 0, in a column of its own so that its index is
 *   touched only when that changes.
 * - States: 0 scheduled (due by the calendar), 1 delayed (due by the monotonic clock), 2 ready, 3 leased, 4 done, 5 dead.
 *   An index holds only the states that need it: none is slow because of the others, and a delivery touches few pages.
 * - `turn` orders the ready tasks of one priority; `worker` names the holder until it gives the task back.
 * - `note` holds few numbers, in one page. `fences`: the next fence and the bound below which fences were made safe by a
 *   sync. `monotonic`: the largest time seen. `[tenant, agentType, shard]` of each scope of consumers: the tenant that has
 *   its turn in the deficit round robin, and what it has left.
 */
export const queueSteps: readonly string[] = [
  `
  CREATE TABLE note (
    name TEXT PRIMARY KEY,
    first REAL NOT NULL,
    second REAL NOT NULL
  ) STRICT, WITHOUT ROWID;
  INSERT INTO note VALUES ('fences', 1, 1), ('monotonic', 0, 0);

  CREATE TABLE tenant (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    weight INTEGER NOT NULL DEFAULT 1,
    max_leased INTEGER
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
    is_waiting INTEGER NOT NULL DEFAULT 0,
    is_paused INTEGER NOT NULL DEFAULT 0,
    served INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, agent_type, shard)
  ) STRICT;
  CREATE INDEX lane_waiting ON lane (tenant) WHERE is_waiting = 1 AND is_paused = 0;

  CREATE TABLE pause (
    tenant TEXT NOT NULL,
    agent_type TEXT NOT NULL,
    shard INTEGER NOT NULL,
    PRIMARY KEY (tenant, agent_type, shard)
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
  CREATE INDEX task_scheduled ON task (due_ms) WHERE state = 0;
  CREATE INDEX task_ends ON task (end_monotonic_ms) WHERE state IN (1, 3);
  CREATE INDEX task_ready ON task (lane, priority, turn) WHERE state = 2;
  CREATE INDEX task_rest ON task (lane, state) WHERE state IN (0, 1, 4, 5);

  CREATE TABLE body (
    seq INTEGER PRIMARY KEY,
    message TEXT NOT NULL
  ) STRICT;
  `,
];

/** The numbers of `task.state`. */
export const states = { scheduled: 0, delayed: 1, ready: 2, leased: 3, done: 4, dead: 5 } as const;
