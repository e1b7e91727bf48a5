/**
 * The schema, one text for each version; a released text never changes. Ids sort by creation, so `id DESC` is "newest
 * first" and every index of runs ends in it: a page of any filter is the newest of few ranges of indexes.
 */
export const schemaSteps: readonly string[] = [
  `
  CREATE TABLE runs (
    id TEXT PRIMARY KEY,
    session TEXT NOT NULL,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    state TEXT NOT NULL,
    door TEXT NOT NULL,
    model TEXT NOT NULL,
    input_preview TEXT NOT NULL,
    reason TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    started_ms INTEGER,
    ended_ms INTEGER,
    turns INTEGER NOT NULL,
    tool_calls INTEGER NOT NULL,
    input_tokens INTEGER NOT NULL,
    output_tokens INTEGER NOT NULL,
    cost_micro_usd INTEGER,
    owner TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX runs_by_tenant ON runs (tenant, id);
  CREATE INDEX runs_by_agent ON runs (tenant, agent, id);
  CREATE INDEX runs_by_state ON runs (state, id);
  CREATE INDEX runs_by_tenant_state ON runs (tenant, state, id);
  CREATE INDEX runs_by_agent_state ON runs (tenant, agent, state, id);
  CREATE INDEX runs_by_session ON runs (session, id);

  CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    last_run TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sessions_by_agent ON sessions (tenant, agent, id);

  CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    agent TEXT NOT NULL,
    run TEXT NOT NULL,
    call_id TEXT NOT NULL,
    request TEXT NOT NULL,
    request_hash TEXT NOT NULL,
    target_hash TEXT,
    preview TEXT,
    decision TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    state TEXT NOT NULL,
    answered_ms INTEGER,
    answered_by TEXT
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX approvals_by_state ON approvals (state, id);
  CREATE INDEX approvals_by_run ON approvals (run, id);
  `,
  `
  CREATE TABLE tokens (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    roles TEXT NOT NULL,
    label TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER,
    revoked_ms INTEGER,
    last_used_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX tokens_by_tenant ON tokens (tenant, id);
  CREATE TABLE token_secrets (
    hash TEXT PRIMARY KEY,
    token TEXT NOT NULL REFERENCES tokens (id) ON DELETE CASCADE,
    until_ms INTEGER
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX token_secrets_by_token ON token_secrets (token);

  CREATE TABLE tenant_days (
    tenant TEXT NOT NULL,
    day INTEGER NOT NULL,
    cost_micro_usd INTEGER NOT NULL DEFAULT 0,
    requests INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant, day)
  ) STRICT, WITHOUT ROWID;
  CREATE TRIGGER runs_cost_inserted BEFORE INSERT ON runs WHEN NEW.cost_micro_usd IS NOT NULL
  BEGIN
    INSERT INTO tenant_days (tenant, day)
    SELECT NEW.tenant, coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    WHERE NOT EXISTS (
      SELECT 1 FROM tenant_days WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    );
    UPDATE tenant_days SET cost_micro_usd = cost_micro_usd + max(0, NEW.cost_micro_usd - coalesce((SELECT cost_micro_usd FROM runs WHERE id = NEW.id), 0))
    WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000;
  END;
  CREATE TRIGGER runs_cost_updated AFTER UPDATE OF cost_micro_usd ON runs WHEN NEW.cost_micro_usd IS NOT NULL
  BEGIN
    INSERT INTO tenant_days (tenant, day)
    SELECT NEW.tenant, coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    WHERE NOT EXISTS (
      SELECT 1 FROM tenant_days WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    );
    UPDATE tenant_days SET cost_micro_usd = cost_micro_usd + max(0, NEW.cost_micro_usd - coalesce(OLD.cost_micro_usd, 0))
    WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000;
  END;

  CREATE TABLE tenant_storage (
    tenant TEXT PRIMARY KEY,
    bytes INTEGER NOT NULL,
    measured_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;

  CREATE TABLE sandbox_holds (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    run TEXT NOT NULL,
    cpu_milli INTEGER NOT NULL,
    memory_mb INTEGER NOT NULL,
    until_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX sandbox_holds_by_tenant ON sandbox_holds (tenant, until_ms);
  `,
  `
  ALTER TABLE runs ADD COLUMN fence INTEGER;
  ALTER TABLE runs ADD COLUMN task TEXT;
  ALTER TABLE runs ADD COLUMN task_fence INTEGER;
  `,
  `
  CREATE TABLE schedule_jobs (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    agent TEXT NOT NULL,
    origin TEXT NOT NULL,
    definition TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    anchor_ms INTEGER NOT NULL,
    next_ms INTEGER,
    due_ms INTEGER,
    pause_reason TEXT,
    deaths TEXT NOT NULL,
    PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX schedule_jobs_by_due ON schedule_jobs (due_ms) WHERE due_ms IS NOT NULL AND pause_reason IS NULL;

  CREATE TABLE schedule_firings (
    tenant TEXT NOT NULL,
    job TEXT NOT NULL,
    slot_ms INTEGER NOT NULL,
    is_manual INTEGER NOT NULL,
    agent TEXT NOT NULL,
    state TEXT NOT NULL,
    reason TEXT NOT NULL,
    started_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    run TEXT,
    run_state TEXT,
    owner TEXT,
    interruptions INTEGER NOT NULL,
    PRIMARY KEY (tenant, job, slot_ms, is_manual)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX schedule_firings_open ON schedule_firings (started_ms) WHERE state = 'started';
  CREATE INDEX schedule_firings_by_time ON schedule_firings (tenant, slot_ms);

  CREATE TABLE schedule_deliveries (
    id TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    job TEXT NOT NULL,
    slot_ms INTEGER NOT NULL,
    run TEXT NOT NULL,
    target TEXT NOT NULL,
    state TEXT NOT NULL,
    attempts INTEGER NOT NULL,
    next_ms INTEGER NOT NULL,
    reason TEXT NOT NULL,
    created_ms INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX schedule_deliveries_waiting ON schedule_deliveries (next_ms) WHERE state = 'waiting';
  CREATE INDEX schedule_deliveries_by_run ON schedule_deliveries (run);

  CREATE TABLE webhook_calls (
    hook TEXT NOT NULL,
    call TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    run TEXT,
    PRIMARY KEY (hook, call)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX webhook_calls_by_time ON webhook_calls (hook, at_ms);
  `,
  `
  CREATE TABLE kept_answers (
    tenant TEXT NOT NULL,
    principal TEXT NOT NULL,
    key TEXT NOT NULL,
    request TEXT NOT NULL,
    answer TEXT NOT NULL,
    kept_ms INTEGER NOT NULL,
    PRIMARY KEY (tenant, principal, key)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX kept_answers_by_time ON kept_answers (kept_ms);
  `,
  `ALTER TABLE schedule_firings ADD COLUMN request TEXT;`,
  `
  CREATE TABLE workflow_passages (
    tenant TEXT NOT NULL,
    id TEXT NOT NULL,
    name TEXT NOT NULL,
    definition TEXT NOT NULL,
    started_by TEXT NOT NULL,
    state TEXT NOT NULL,
    step INTEGER NOT NULL,
    done TEXT NOT NULL,
    run TEXT,
    reason TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    PRIMARY KEY (tenant, id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX workflow_passages_open ON workflow_passages (created_ms) WHERE state = 'running';
  CREATE INDEX workflow_passages_by_time ON workflow_passages (tenant, created_ms);
  `,
  `
  ALTER TABLE runs ADD COLUMN project TEXT;
  ALTER TABLE runs ADD COLUMN lane TEXT;
  CREATE INDEX runs_by_lane ON runs (project, lane, tenant, created_ms) WHERE project IS NOT NULL;
  `,
  `
  CREATE TABLE money_holds (
    run TEXT PRIMARY KEY,
    tenant TEXT NOT NULL,
    owner TEXT NOT NULL,
    micro_usd INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX money_holds_by_tenant ON money_holds (tenant);
  `,
  `
  DROP INDEX runs_by_tenant;
  DROP INDEX runs_by_agent;
  DROP INDEX runs_by_state;
  DROP INDEX runs_by_tenant_state;
  DROP INDEX runs_by_agent_state;
  CREATE INDEX runs_open ON runs (tenant, agent, state, id)
  WHERE state = 'accepted' OR state = 'running' OR state = 'waiting';
  CREATE INDEX runs_ended ON runs (tenant, state, id)
  WHERE state = 'done' OR state = 'failed' OR state = 'denied' OR state = 'limited' OR state = 'cancelled';
  CREATE INDEX runs_ended_by_agent ON runs (tenant, agent, state, id)
  WHERE state = 'done' OR state = 'failed' OR state = 'denied' OR state = 'limited' OR state = 'cancelled';
  `,
  `
  DROP TRIGGER runs_cost_inserted;
  DROP TRIGGER runs_cost_updated;
  CREATE TRIGGER runs_cost_inserted BEFORE INSERT ON runs WHEN NEW.cost_micro_usd > 0
  BEGIN
    INSERT INTO tenant_days (tenant, day)
    SELECT NEW.tenant, coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    WHERE NOT EXISTS (
      SELECT 1 FROM tenant_days WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    );
    UPDATE tenant_days SET cost_micro_usd = cost_micro_usd + max(0, NEW.cost_micro_usd - coalesce((SELECT cost_micro_usd FROM runs WHERE id = NEW.id), 0))
    WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000;
  END;
  CREATE TRIGGER runs_cost_updated AFTER UPDATE OF cost_micro_usd ON runs WHEN NEW.cost_micro_usd > coalesce(OLD.cost_micro_usd, 0)
  BEGIN
    INSERT INTO tenant_days (tenant, day)
    SELECT NEW.tenant, coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    WHERE NOT EXISTS (
      SELECT 1 FROM tenant_days WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000
    );
    UPDATE tenant_days SET cost_micro_usd = cost_micro_usd + NEW.cost_micro_usd - coalesce(OLD.cost_micro_usd, 0)
    WHERE tenant = NEW.tenant AND day = coalesce(NEW.ended_ms, unixepoch() * 1000) / 86400000;
  END;
  `,
];
